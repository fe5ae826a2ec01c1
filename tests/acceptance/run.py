#!/usr/bin/env python3
"""Runs the acceptance tests: the real binary on loopback, judged by curl, openssl, GnuTLS, pyca and pkilint.

The last line says `acceptance: N passed, N failed`; the exit status is 1 when anything failed.
"""

import argparse
import re
import signal
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Exit status when there was nothing to run.
NOTHING = 3
HALVES = ("postgres", "others")
sys.path.insert(0, str(HERE))

from harness.case import words
from harness.server import Context, Server


class Result(unittest.TestResult):
    """One line per test with its duration, and the server's last words when one failed."""

    def __init__(self):
        super().__init__()
        self.passed = 0
        self._group = ""
        self._start = time.monotonic()

    def startTest(self, test):
        super().startTest(test)
        self._start = time.monotonic()

    def _line(self, mark: str, test, more: str = "") -> None:
        test = getattr(test, "test_case", test)
        group = type(test).__qualname__ if isinstance(test, unittest.TestCase) else ""
        if group and group != self._group:
            print(f"\n{group}: {(type(test).__doc__ or '').strip().splitlines()[0] if type(test).__doc__ else ''}")
            self._group = group
        name = words(test._testMethodName) if isinstance(test, unittest.TestCase) else str(test)
        print(f"  {mark:<4} {name} ({time.monotonic() - self._start:.2f} s){more}", flush=True)

    def addSuccess(self, test):
        self.passed += 1
        self._line("ok", test)

    def addSkip(self, test, reason):
        # A skipped test would be a green line for nothing.
        self.failures.append((test, f"skipped: {reason}"))
        self._line("FAIL", test, f" skipped: {reason}")

    def _failed(self, test, error, store) -> None:
        text = self._exc_info_to_string(error, test)
        store.append((test, text))
        self._line("FAIL", test)
        print("       " + text.strip().replace("\n", "\n       "))
        for server in Server.running:
            lines = server.log().strip().splitlines()[-15:]
            print("       the server's last lines:\n       | " + "\n       | ".join(lines), flush=True)

    def addFailure(self, test, err):
        self._failed(test, err, self.failures)

    def addError(self, test, err):
        self._failed(test, err, self.errors)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self._failed(subtest, err, self.failures)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("only", nargs="*", help="run only tests whose module.class.name holds one of these words")
    parser.add_argument("--binary", type=Path, default=Context.binary)
    parser.add_argument("--database", choices=["sqlite", "postgres"], help="only this one")
    parser.add_argument("--long", action="store_true", help="more kills, more certificates")
    parser.add_argument("--side-by-side", action="store_true", help="PostgreSQL's tests beside all others")
    parser.add_argument("--half", choices=HALVES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.side_by_side:
        arguments = [argument for argument in sys.argv[1:] if argument != "--side-by-side"]
        return side_by_side(arguments, chosen=bool(options.only or options.database))
    Context.binary, Context.long = options.binary.resolve(), options.long
    if options.database:
        Context.databases = (options.database,)
    if not Context.binary.exists():
        print(f"error: there is no {Context.binary}; run `cargo build` first", file=sys.stderr)
        return 2

    found = unittest.defaultTestLoader.discover(str(HERE), pattern="test_*.py", top_level_dir=str(HERE))
    suite = unittest.TestSuite(
        t
        for t in flat(found)
        if (not options.only or any(word.lower() in t.id().lower() for word in options.only))
        and (not options.half or half(t) == options.half)
    )
    result = Result()
    start = time.monotonic()
    try:
        suite.run(result)
    finally:
        Context.close()
    failed = len(result.failures) + len(result.errors)
    if result.passed + failed == 0:
        print("error: no test matches", file=sys.stderr)
        return NOTHING
    if failed:
        print("\nfailed:")
        for test, _ in result.failures + result.errors:
            print(f"  {test.id() if hasattr(test, 'id') else test}")
    print(f"\nin {time.monotonic() - start:.0f} s")
    print(f"acceptance: {result.passed} passed, {failed} failed")
    return 1 if failed else 0


def half(test) -> str:
    """In which of the halves a test runs. Most of them wait most of the time, so two can share the cores."""
    return "postgres" if getattr(type(test), "database", None) == "postgres" else "others"


def side_by_side(arguments: list[str], *, chosen: bool) -> int:
    """Both halves at once, each in a process of its own; their lines as they come, with the half's name before each.

    `chosen`: not all tests are wanted, so one half may have none of them.
    """
    start = time.monotonic()
    lock, counts = threading.Lock(), {}

    def follow(name: str, process: subprocess.Popen) -> None:
        for line in process.stdout:
            counted = re.fullmatch(r"acceptance: (\d+) passed, (\d+) failed\n", line)
            with lock:
                if counted:
                    counts[name] = int(counted[1]), int(counted[2])
                print(f"{name:<8} | {line}", end="", flush=True)

    processes = {
        name: subprocess.Popen([sys.executable, __file__, *arguments, "--half", name], stdout=subprocess.PIPE, text=True)
        for name in HALVES
    }
    try:
        followers = [threading.Thread(target=follow, args=item) for item in processes.items()]
        for follower in followers:
            follower.start()
        statuses = {name: process.wait() for name, process in processes.items()}
        for follower in followers:
            follower.join()
    finally:
        for process in processes.values():
            if process.poll() is None:
                process.terminate()
                process.wait()
    passed, failed = (sum(count[column] for count in counts.values()) for column in (0, 1))
    empty = {name for name, status in statuses.items() if status == NOTHING and chosen}
    bad = {name: status for name, status in statuses.items() if status and (name not in empty or len(empty) == len(HALVES))}
    for name, status in bad.items():
        print(f"{name} ended with {status}")
    print(f"\nin {time.monotonic() - start:.0f} s")
    print(f"acceptance: {passed} passed, {failed} failed")
    return 1 if bad else 0


def flat(suite):
    """The tests of a suite, one by one."""
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flat(item)
        else:
            yield item


if __name__ == "__main__":
    sys.exit(main())
