"""A root key that is not the one that the database is sealed under: the server does not start, and says why."""

import shutil

from harness.case import ServerCase, on_both
from harness.server import Server


@on_both
class RootKeys(ServerCase):
    """The server of the case has its root key in a file."""

    def refused(self, server: Server) -> str:
        """Starts a server that must not start; what it says."""
        said = len(server.log())
        server.start(wait=False)
        self.assertNotEqual(server.wait(), 0)
        return server.log()[said:]

    def test_the_key_of_another_database_opens_nothing_and_is_told_at_once(self):
        other = Server("sqlite").start()
        self.addCleanup(other.remove)
        self.assertEqual(other.stop(), 0)
        self.assertEqual(self.server.stop(), 0)
        key, kept = self.server.data / "root.key", self.scratch / "root.key"
        shutil.move(key, kept)
        said = self.refused(self.server)
        self.assertIn("root.key", said)
        self.assertFalse(key.exists(), "no other key takes its place")
        shutil.copy(other.data / "root.key", key)
        said = self.refused(self.server)
        self.assertIn("the root key is another one than this database needs", said)
        self.assertIn("from your backup", said)
        shutil.move(kept, key)
        self.server.start()
        self.assert_status(self.curl.post("/v1/vaults", {"name": "after"}), 201)

    def test_the_salt_of_a_passphrase_is_never_replaced(self):
        passphrase = self.scratch / "passphrase"
        passphrase.write_text("correct horse battery staple\n")
        passphrase.chmod(0o400)
        config = f'[root_key]\nsource = "passphrase"\npath = "{passphrase}"\n'
        server = Server(self.database, config=config).start()
        self.addCleanup(server.remove)
        self.assertEqual(server.stop(), 0)
        salt, kept = server.data / "root.salt", self.scratch / "root.salt"
        shutil.move(salt, kept)
        said = self.refused(server)
        self.assertIn("root.salt is missing", said)
        self.assertFalse(salt.exists())
        shutil.move(kept, salt)
        server.start()
        self.assertEqual(server.stop(), 0)
