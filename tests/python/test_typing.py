# SPDX-License-Identifier: MIT
"""mypy has nothing to say against the module, and its annotations tell callers the right types."""

import os
import shutil
import unittest

import guard

USER = """
from typing import Optional
import bstream

w, r = bstream.pair(capacity=3)
reveal_type(bstream.open("x"))
reveal_type(bstream.open("x", "w", 1.5))
reveal_type(r.peek())
reveal_type(w.reserve(3))
for chunk in r:
    reveal_type(chunk)
for view in r.views(at_once=3):
    reveal_type(view)
for span in w.spans(8, at_once=3):
    reveal_type(span)
reveal_type(w.write_split(bytearray(), 3))
with bstream.Writer("x") as opened:
    reveal_type(opened)
reveal_type(bstream.stat("x").keep)
bstream.open("x", "rw")
bstream.create("x", keep="never")
w.write(b"", timeout="soon")
"""
REVEALED = [
    "bstream._ends.Reader",
    "bstream._ends.Writer",
    "Union[builtins.memoryview, None]",
    "builtins.memoryview",
    "builtins.bytes",
    "builtins.memoryview",
    "builtins.memoryview",
    "builtins.int",
    "bstream._ends.Writer",
    "Union[builtins.str, None]",
]


@unittest.skipUnless(shutil.which("mypy"), "mypy is not installed")
class Typing(guard.Case):
    def mypy(self, *arguments):
        environment = {**os.environ, "MYPYPATH": guard.MODULE}
        cache = os.path.join(self.directory, "cache")
        return self.spawn("mypy", "--strict", "--cache-dir", cache, *arguments, env=environment)

    def test_the_module_is_clean(self):
        said = self.said(self.mypy(os.path.join(guard.MODULE, "bstream")))
        self.assertIn("no issues found", said)

    def test_callers_see_the_types(self):
        path = os.path.join(self.directory, "user.py")
        with open(path, "w") as file:
            file.write(USER)
        said = self.said(self.mypy(path), 1)
        revealed = [line.split('"')[1] for line in said.splitlines() if "Revealed" in line]
        self.assertEqual(revealed, REVEALED)
        errors = [line for line in said.splitlines() if "error:" in line]
        self.assertEqual(len([line for line in errors if "overload" in line]), 1, said)
        self.assertEqual(len([line for line in errors if "arg-type" in line]), 2, said)


if __name__ == "__main__":
    guard.main()
