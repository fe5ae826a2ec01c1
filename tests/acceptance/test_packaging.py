"""Dockerfile and docker-compose.yml: read by parsers, since no image can be built in the tests."""

import json
import re
import shlex
import subprocess

import yaml
from harness.case import Case
from harness.server import ROOT, Context, Server, clean_environment


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile with continued lines joined."""
    joined = re.sub(r"\\\n", " ", "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")))
    return [
        (word.upper(), " ".join(rest.split()))
        for word, _, rest in (line.strip().partition(" ") for line in joined.splitlines())
        if word
    ]


class Packaging(Case):
    """Dockerfile and docker-compose.yml hold together with the binary."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.dockerfile = instructions((ROOT / "Dockerfile").read_text())
        cls.compose_text = (ROOT / "docker-compose.yml").read_text()
        cls.compose = yaml.safe_load(cls.compose_text)

    def last(self, word: str) -> str:
        """The last instruction of this kind: the one of the image that runs."""
        found = [rest for kind, rest in self.dockerfile if kind == word]
        self.assertTrue(found, f"no {word}")
        return found[-1]

    def test_the_dockerfile_knows_its_words(self):
        known = {
            "FROM",
            "RUN",
            "COPY",
            "WORKDIR",
            "USER",
            "VOLUME",
            "ENV",
            "EXPOSE",
            "STOPSIGNAL",
            "HEALTHCHECK",
            "ENTRYPOINT",
            "CMD",
        }
        self.assertEqual({word for word, _ in self.dockerfile} - known, set())
        stages = [rest for word, rest in self.dockerfile if word == "FROM"]
        self.assertEqual(len(stages), 2)
        for stage in stages:
            self.assertRegex(stage, r"^[a-z0-9/.-]+:(?!latest)[a-z0-9.-]+( AS [a-z]+)?$")
        self.assertIn("--locked", " ".join(rest for word, rest in self.dockerfile if word == "RUN"))

    def test_the_builder_has_the_toolchain_of_the_repository(self):
        channel = re.search(r'channel = "(\d+\.\d+)', (ROOT / "rust-toolchain.toml").read_text())[1]
        first = next(rest for word, rest in self.dockerfile if word == "FROM")
        self.assertTrue(first.startswith(f"rust:{channel}"), first)

    def test_it_does_not_run_as_root(self):
        user = self.last("USER").split(":")[0]
        self.assertRegex(user, r"^[1-9][0-9]*$", "a number, so that Kubernetes can see that it is not root")
        order = [word for word, _ in self.dockerfile]
        self.assertLess(order.index("USER"), order.index("ENTRYPOINT"))

    def test_its_environment_and_health_check_work_with_the_binary(self):
        environment = dict(part.split("=", 1) for part in shlex.split(self.last("ENV")))
        self.assertEqual(environment["CERTWRIGHT_DATA"], self.last("VOLUME"))
        ports = {environment[name].rsplit(":", 1)[1] for name in ("CERTWRIGHT_LISTEN", "CERTWRIGHT_HTTP_LISTEN")}
        self.assertEqual(ports, set(self.last("EXPOSE").split()))
        command = json.loads(self.last("HEALTHCHECK").partition("CMD ")[2])
        self.assertEqual(command[0], "certwright")
        # The same variables, with free ports and a scratch folder in place of 8443, 8080 and /data.
        server = Server("sqlite")
        self.addCleanup(server.remove)
        mapped = {
            "CERTWRIGHT_DATA": str(server.data),
            "CERTWRIGHT_LISTEN": f"0.0.0.0:{server.port}",
            "CERTWRIGHT_HTTP_LISTEN": f"0.0.0.0:{server.plain_port}",
        }
        self.assertEqual(mapped.keys(), environment.keys())
        environment = clean_environment(**mapped)
        down = subprocess.run(
            [Context.binary, *command[1:]], env=environment, cwd=server.folder, capture_output=True, timeout=30
        )
        self.assertNotEqual(down.returncode, 0, "healthy without a server")
        server.arguments = lambda verb: [str(Context.binary), *json.loads(self.last("CMD"))]
        server.environment = lambda: environment
        server.start()
        up = subprocess.run(
            [Context.binary, *command[1:]],
            env=environment,
            cwd=server.folder,
            capture_output=True,
            text=True,
            timeout=30,
        )
        self.assertEqual(up.returncode, 0, up.stdout + up.stderr)

    def test_nothing_secret_goes_to_the_builder(self):
        lines = [
            line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")
        ]
        self.assertEqual(lines[0], "*", "everything is left out that is not named")
        for line in lines[1:]:
            self.assertTrue(line.startswith("!") and (ROOT / line[1:]).exists(), line)

    def test_compose_names_everything_it_uses(self):
        services = self.compose["services"]
        self.assertEqual(services.keys(), {"certwright", "postgres", "site", "certbot"})
        started = {name for name, service in services.items() if "profiles" not in service}
        self.assertEqual(started, {"certwright", "postgres"}, "the example starts when it is asked for")
        for name, service in services.items():
            for secret in service.get("secrets", []):
                self.assertIn(secret, self.compose["secrets"], name)
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                if source.startswith("./"):
                    self.assertTrue((ROOT / source).is_file(), source)
                else:
                    self.assertIn(source, self.compose["volumes"], name)
            for other, wanted in service.get("depends_on", {}).items():
                if "healthcheck" in services[other]:
                    self.assertEqual(wanted["condition"], "service_healthy")
            self.assertRegex(service["image"], r":(?!latest)v?[0-9][a-z0-9.-]*$", name)
        self.assertIn("healthcheck", services["postgres"])

    def test_the_scripts_of_the_example_are_read_by_a_shell(self):
        for script in ("nginx.sh", "certbot.sh"):
            subprocess.run(["sh", "-n", ROOT / "config" / "site" / script], check=True, timeout=10)

    def test_compose_holds_no_password(self):
        for service in self.compose["services"].values():
            for name, value in service["environment"].items():
                self.assertFalse("PASSWORD" in name and not name.endswith("_FILE"), name)
                self.assertNotRegex(str(value), r"://[^/@]*:[^/@]+@", name)

    def test_the_commands_in_its_comment_make_a_configuration_that_the_binary_takes(self):
        lines = [line.lstrip("# ").rstrip() for line in self.compose_text.splitlines() if line.startswith("#   ")]
        commands = [line for line in lines if not line.startswith("docker ")]
        subprocess.run(["sh", "-euc", "\n".join(commands)], cwd=self.scratch, check=True, timeout=30)
        for service in self.compose["services"].values():
            for name in service.get("secrets", []) if "profiles" not in service else []:
                file = self.compose["secrets"][name]["file"]
                self.assertTrue((self.scratch / file).read_text().strip())
        self.assertEqual((self.scratch / "secrets").stat().st_mode & 0o777, 0o700)
        given = self.compose["services"]["certwright"]["environment"].items()
        # What compose puts in when nothing is said.
        environment = {k: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(v)) for k, v in given}
        environment["CERTWRIGHT_CONFIG"] = str(self.scratch / "secrets" / "certwright.toml")
        checked = subprocess.run(
            [Context.binary, "config", "check"],
            env=clean_environment(**environment),
            cwd=self.scratch,
            capture_output=True,
            text=True,
            timeout=30,
        )
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        shown = subprocess.run(
            [Context.binary, "config", "show"],
            env=clean_environment(**environment),
            cwd=self.scratch,
            capture_output=True,
            text=True,
            timeout=30,
        )
        password = (self.scratch / "secrets" / "postgres-password").read_text().strip()
        self.assertNotIn(password, shown.stdout + shown.stderr + checked.stdout + checked.stderr)
