# SPDX-License-Identifier: MIT
"""What doc/python.md shows is run."""

import os
import re
import unittest

import guard

PRINTED = [
    "b'first'\nb'second'",
    "b'half of it'\n[Errno 104] A writer died without closing: the data may be cut short",
    "5 b'by'",
    "True",
    "b'0123' b'4567' b'89'",
    "78",
    "b'numbers' [b'1 2 3']",
    "[b'0', b'1', b'2', b'3', b'4']",
    "[b'from the child']",
]


class Manual(guard.Case):
    def test_every_example_runs(self):
        with open(os.path.join(guard.SOURCE, "doc", "python.md")) as file:
            examples = re.findall(r"^```python\n(.*?)^```$", file.read(), re.M | re.S)
        self.assertEqual(len(examples), len(PRINTED))
        for example, printed in zip(examples, PRINTED):
            with self.subTest(example):
                self.assertEqual(self.said(self.python("import warnings\n" + example)), printed)


if __name__ == "__main__":
    guard.main()
