# SPDX-License-Identifier: MIT
"""The shared library is missing, is another, or is of another version: an ImportError says so."""

import os
import shutil
import subprocess
import sys
import unittest

import guard
from guard import bstream

STUB = 'const char *bstream_version(void) { return "%s"; }\n'


class Importing(guard.Case):
    def refused(self, **environment):
        """What the ImportError says that another Python gets."""
        text = "try:\n import bstream\nexcept ImportError as e: print(e)"
        child = self.spawn(
            sys.executable, "-B", "-c", text, env={**os.environ, **environment}, cwd=self.directory
        )
        return self.said(child)

    def compiled(self, source):
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            self.skipTest("there is no compiler")
        path = os.path.join(self.directory, "libstub.so")
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-x", "c", "-o", path, "-"], input=source.encode(), check=True
        )
        return path

    def test_a_missing_file_is_named(self):
        said = self.refused(BSTREAM_LIBRARY="/nowhere/libbstream.so.0")
        self.assertIn("/nowhere/libbstream.so.0", said)
        self.assertIn("install libbstream0", said)

    def test_a_missing_library_is_named(self):
        if subprocess.run(["sh", "-c", "ldconfig -p 2>/dev/null | grep -q libbstream"]).returncode == 0:
            self.skipTest("libbstream is installed on this machine")
        self.assertIn("libbstream.so.0", self.refused(BSTREAM_LIBRARY=""))

    def test_another_library_is_refused(self):
        path = self.compiled("int other(void) { return 0; }\n")
        self.assertEqual(
            self.refused(BSTREAM_LIBRARY=path),
            f"bstream: {path} is not libbstream: it has no bstream_version",
        )

    def test_what_is_no_library_is_refused(self):
        path = os.path.join(self.directory, "text.so")
        with open(path, "w") as file:
            file.write("no library\n")
        self.assertIn(path, self.refused(BSTREAM_LIBRARY=path))

    def test_other_versions_are_refused(self):
        for version in ("0.0.9", "1.0.0", "17.3"):
            said = self.refused(BSTREAM_LIBRARY=self.compiled(STUB % version))
            self.assertIn(f"is version {version}; this module needs 0.1 or a later 0.x", said)
        self.assertIn("'what'", self.refused(BSTREAM_LIBRARY=self.compiled(STUB % "what")))

    def test_a_library_that_lacks_a_function_is_refused(self):
        said = self.refused(BSTREAM_LIBRARY=self.compiled(STUB % "0.1.0"))
        self.assertRegex(said, "version 0.1.0, has no bstream_[a-z_]+: it is older than this module")

    def test_the_version_is_the_librarys(self):
        with open(os.path.join(guard.SOURCE, "configure.ac")) as file:
            self.assertIn(f"AC_INIT([bstream], [{bstream.version}]", file.read())

    def test_what_is_public_is_documented(self):
        for name in bstream.__all__:
            thing = getattr(bstream, name)
            if callable(thing):
                self.assertTrue(thing.__doc__, name)
            for method in vars(thing) if isinstance(thing, type) else ():
                if not method.startswith("_") and callable(getattr(thing, method)):
                    self.assertTrue(getattr(thing, method).__doc__, f"{name}.{method}")


if __name__ == "__main__":
    guard.main()
