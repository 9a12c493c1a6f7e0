# SPDX-License-Identifier: MIT
"""What every Python test stands in: a runtime directory and a broker of its own, a deadline, and a
look at what it left: ends, segments, the broker's socket, child processes. The results are TAP.

A test file ends in guard.main(). It runs alone too, in the build tree: `python3 test_ends.py`, or
one case of it: TESTCASE=Writing.test_an_empty_chunk_is_a_chunk.
"""

import faulthandler
import gc
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.normpath(os.path.join(HERE, "..", ".."))
BUILD = os.path.abspath(os.environ.get("top_builddir", os.getcwd()))
MODULE = os.path.join(SOURCE, "python")
LIBRARY = os.path.join(BUILD, "lib", ".libs", "libbstream.so.0")
PEER = os.path.join(BUILD, "tests", "python", "peer")
BSTREAMCTL = os.path.join(BUILD, "cli", "bstreamctl")
PATIENCE = 120  # seconds that only a fault can reach

os.environ["BSTREAM_LIBRARY"] = LIBRARY
os.environ["BSTREAM_DAEMON"] = os.path.join(BUILD, "daemon", "bstreamd")
os.environ["PYTHONPATH"] = os.pathsep.join((MODULE, HERE))
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
sys.dont_write_bytecode = True
sys.path.insert(0, MODULE)
if not os.path.exists(LIBRARY):
    print(f"1..0 # SKIP {LIBRARY} is not built")
    sys.exit(0)

import bstream  # noqa: E402 - it must be the one above


def _descriptors():
    """Our descriptors of segments."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue
        if "bstream" in target:
            found.append(target)
    return sorted(found)


def _prefix(path):
    """What the names of a broker's segments begin with: FNV-1a of its socket's path."""
    value = 0xCBF29CE484222325
    for byte in path.encode():
        value = ((value ^ byte) * 0x100000001B3) & (2**64 - 1)
    return f"/dev/shm/bstream.{value:016x}."


class Case(unittest.TestCase):
    def setUp(self):
        faulthandler.dump_traceback_later(5 * PATIENCE, exit=True)
        self.directory = tempfile.mkdtemp(prefix="bstream-python.")
        self.socket = os.path.join(self.directory, "broker.sock")
        os.environ["XDG_RUNTIME_DIR"] = self.directory
        os.environ["BSTREAM_SOCKET"] = self.socket
        bstream.broker_use(self.socket)
        self.children = []
        gc.collect()
        self.before = _descriptors()
        self.addCleanup(self._clean)

    def _clean(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.communicate()
        gc.collect()
        try:
            bstream.broker_stop()
        except ConnectionRefusedError:
            pass
        left = glob.glob(_prefix(self.socket) + "*")
        for segment in left:
            os.unlink(segment)
        self.assertEqual(left, [], "segments are left")
        self.assertFalse(os.path.exists(self.socket), "the broker's socket is left")
        self.assertEqual(_descriptors(), self.before, "ends are left")
        with self.assertRaises(ChildProcessError, msg="a child process is left"):
            os.waitpid(-1, os.WNOHANG)
        shutil.rmtree(self.directory)
        faulthandler.cancel_dump_traceback_later()

    def spawn(self, *command, **options):
        """A child process that does not outlive the test; its stdout is a pipe."""
        options.setdefault("stdout", subprocess.PIPE)
        child = subprocess.Popen(command, text=True, **options)
        self.children.append(child)
        return child

    def peer(self, *arguments, **options):
        return self.spawn(PEER, *map(str, arguments), **options)

    def python(self, text, *arguments, **options):
        """Another Python with `import bstream` and more."""
        text = "import bstream, os, sys, socket, errno, gc, signal\n" + text
        return self.spawn(sys.executable, "-B", "-c", text, *map(str, arguments), **options)

    def said(self, child, status=0):
        """What a child printed, once it has exited with that status."""
        out, _ = child.communicate(timeout=PATIENCE)
        self.assertEqual(child.returncode, status, out)
        return out.strip()

    def pair(self, **options):
        writer, reader = bstream.pair(**options)
        self.addCleanup(reader.close)
        self.addCleanup(writer.close)
        return writer, reader

    def raises_errno(self, number, cls=OSError):
        return _RaisesErrno(self, number, cls)


class _RaisesErrno:
    def __init__(self, case, number, cls):
        self.case, self.number, self.cls = case, number, cls

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        self.case.assertIsNotNone(error, f"nothing was raised, errno {self.number} was expected")
        if not isinstance(error, OSError):
            return False
        self.case.assertEqual(error.errno, self.number, error)
        self.case.assertIsInstance(error, self.cls)
        self.error = error
        return True


def until(true):
    """Looks until it is true."""
    end = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > end:
            raise AssertionError("it never came true")
        os.sched_yield()


FILLINGS = 7  # of chunks: few, so that they stay in the cache, as what C fills them with


def chunk(number, size):
    """As tests/python/peer.c makes and checks it."""
    return (number.to_bytes(8, "little") + bytes([1 + number % FILLINGS]) * size)[:size]


class _Tap(unittest.TestResult):
    count = 0

    def _say(self, word, test, behind=""):
        self.count += 1
        name = test.id().split(".", 1)[-1].replace("_", " ")
        print(f"{word} {self.count} - {name}{behind}", flush=True)

    def _trouble(self, test, error):
        self._say("not ok", test)
        for line in self._exc_info_to_string(error, test).splitlines():
            print("#", line)

    def addSuccess(self, test):
        self._say("ok", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._say("ok", test, f" # SKIP {reason}")

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._trouble(test, error)

    def addError(self, test, error):
        super().addError(test, error)
        self._trouble(test, error)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self._trouble(subtest, error)


def main():
    faulthandler.enable()
    warnings.simplefilter("error", ResourceWarning)
    loader = unittest.defaultTestLoader
    wanted = os.environ.get("TESTCASE")
    module = sys.modules["__main__"]
    suite = loader.loadTestsFromName(wanted, module) if wanted else loader.loadTestsFromModule(module)
    result = _Tap()
    suite.run(result)
    print(f"1..{result.count}")
    sys.exit(0 if result.wasSuccessful() and result.count else 1)
