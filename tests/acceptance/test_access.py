"""Users, groups, compartments and policies: the page docs/access.md as it stands, and who is let in."""

import json
import re
from pathlib import Path

from harness import tools
from harness.case import ServerCase, on_both

PAGE = Path(__file__).resolve().parents[2] / "docs" / "access.md"


@on_both
class Access(ServerCase):
    """docs/access.md, line by line, in a shell."""

    # unittest runs the methods by name: the numbers keep the order of the page.

    def test_1_every_line_of_the_page_runs(self):
        self.house.root("issuing-1")
        self.house.key("issuing-key")
        begin, *blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
        self.assertIn("admin.token", begin)
        self.assertEqual(len(blocks), 3)
        script = "\n".join(['api=$1; auth=(--cacert "$2" -H "Authorization: Bearer $3")', *blocks])
        token = self.server.token()
        done = tools.run("bash", "-euc", script, "page", f"{self.server.url}/v1", self.server.ca_file, token)
        shown = done.stdout.decode().replace(token, "…")
        self.assertEqual(done.returncode, 0, shown + done.stderr.decode())
        decoder, answers, rest = json.JSONDecoder(), [], done.stdout.decode()
        while rest.strip():
            answer, end = decoder.raw_decode(rest.lstrip())
            answers.append(answer)
            rest = rest.lstrip()[end:]
        self.assertEqual(len(answers), 12, shown)
        type(self).alice = answers[5]["token"]
        self.assertEqual([notice["statement"] for notice in answers[4]["notices"]], [1])
        self.assertEqual(answers[6]["groups"], ["administrators"])
        self.assertEqual([item["kind"] for item in answers[11]["items"]], ["key"])

    def test_2_a_user_is_let_in_until_disabled(self):
        me = self.assert_status(self.curl.get("/v1/whoami", token=self.alice), 200).json
        self.assertEqual((me["user"], me["groups"]), ("alice@example.com", ["demo-admins"]))
        self.assert_status(self.curl.patch("/v1/users/ALICE@example.com", {"enabled": False}), 200)
        self.assert_problem(self.curl.get("/v1/whoami", token=self.alice), 401, "unauthenticated")
        self.assert_status(self.curl.patch("/v1/users/alice@example.com", {"enabled": True}), 200)
        self.assert_status(self.curl.get("/v1/whoami", token=self.alice), 200)

    def test_3_the_command_on_the_server_brings_the_administrator_back(self):
        self.assert_status(self.curl.call("PUT", "/v1/groups/administrators/members/alice@example.com"), 200)
        self.assert_status(self.curl.call("DELETE", "/v1/users/admin", token=self.alice), 204)
        self.assert_problem(self.curl.get("/v1/whoami"), 401, "unauthenticated")
        done = self.server.run("admin-token", "--rotate")
        self.assertEqual(done.returncode, 0, done.stderr)
        me = self.assert_status(self.curl.get("/v1/whoami", token=self.server.token()), 200).json
        self.assertEqual((me["user"], me["groups"]), ("admin", ["administrators"]))
