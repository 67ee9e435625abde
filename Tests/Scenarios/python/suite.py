"""Runs tests of python's own, in the guest and natively. usage: suite.py SECONDS SEED FILE

FILE has the modules (`test_os`), then the tests wanted (`=ID`, none: all), those left out (`-PATTERN`) and what they may use
besides (`+RESOURCE`). SECONDS: begins
no test after that many, 0 for all of them, and then the order is drawn by SEED. A result is one line `@ WORD ID`, on a
descriptor that no test knows of, since tests print as well."""
import fnmatch
import os
import random
import sys
import time
import traceback
import unittest

from test import support
from test.support import os_helper


class Report(unittest.TestResult):
    def __init__(self, stream, seconds):
        super().__init__()
        self.stream = stream
        self.end = time.monotonic() + seconds if seconds else None

    def say(self, word, test, detail=""):
        self.stream.write(f"\n@ {word} {test.id()}\n".encode() + detail.encode("utf-8", "backslashreplace"))

    def startTest(self, test):
        super().startTest(test)
        if self.end and time.monotonic() > self.end:
            self.stop()
        self.say("begin", test)

    def addSuccess(self, test):
        self.say("ok", test)

    addExpectedFailure = lambda self, test, error: self.say("ok", test)

    def addUnexpectedSuccess(self, test):
        self.say("fail", test, "passed, which was not expected")

    def addFailure(self, test, error):
        self.say("fail", test, "".join(traceback.format_exception(*error)[-4:]))

    addError = addFailure

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.addFailure(test, error)

    def addSkip(self, test, reason):
        self.say("skip", test, reason)


def cases(suite):
    for entry in suite:
        if isinstance(entry, unittest.TestSuite):
            yield from cases(entry)
        else:
            yield entry


def main():
    seconds, seed, plan = float(sys.argv[1]), sys.argv[2], open(sys.argv[3]).read().split()
    modules = [word for word in plan if word[0] not in "=-+"]
    wanted = {word[1:] for word in plan if word[0] == "="}
    without = [word[1:] for word in plan if word[0] == "-"]
    stream = open(os.dup(1), "wb", buffering=0)
    support.use_resources = ["subprocess", "cpu", "largefile"] + [word[1:] for word in plan if word[0] == "+"]
    suite = unittest.TestSuite()
    for module in modules:
        found = cases(unittest.defaultTestLoader.loadTestsFromName("test." + module))
        suite.addTests(case for case in found if (not wanted or case.id() in wanted)
                       and not any(fnmatch.fnmatchcase(case.id(), "test." + pattern) for pattern in without))
    if seconds:
        # Classes stay together: they have something to set up.
        classes = {}
        for case in cases(suite):
            classes.setdefault((type(case).__module__, type(case)), []).append(case)
        chosen = list(classes.values())
        random.Random(seed).shuffle(chosen)
        suite = unittest.TestSuite(case for group in chosen for case in group)
    with os_helper.temp_cwd("tests"):
        suite.run(Report(stream, seconds))
    stream.write(b"\n@ end all\n")


if __name__ == "__main__":
    main()
