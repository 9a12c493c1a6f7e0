# SPDX-License-Identifier: MIT
"""Chunks a second between Python and C, against C and C, rounds in turns; prints, asserts nothing.

Usage: speed.py [SIZE [COUNT [ROUNDS]]], in the build tree. The figures mean something when the machine has
nothing else to do and there are many chunks: speed.py 4096 300000 7.
"""

import os
import statistics
import struct
import sys
import time
from itertools import count, cycle

import guard
from guard import FILLINGS, bstream

DEFAULTS = ["4096", "20000", "3"]
AT_ONCE = 8  # half of the default capacity: both sides work
SIZE, COUNT, ROUNDS = map(int, sys.argv[1:] + DEFAULTS[len(sys.argv) - 1 :])


CPUS = sorted(os.sched_getaffinity(0))  # before anybody is pinned: a child begins where its parent is


def pin(cpu):
    os.sched_setaffinity(0, {CPUS[cpu % len(CPUS)]})


put_number = struct.Struct("<Q").pack_into
put_chunk = struct.Struct(f"<Q{SIZE - 8}s").pack_into
FILL = [guard.chunk(number, SIZE)[8:] for number in range(guard.FILLINGS)]
SPLIT = 36 * guard.FILLINGS


class Round:
    """One process on CPU 0 and one on CPU 1, and how long the chunks take."""

    def __init__(self, case):
        self.case = case
        self.name = "speed"
        bstream.create(self.name)

    def c(self, cpu, *arguments):
        return self.case.peer(*arguments, preexec_fn=lambda: pin(cpu))

    def rate(self, said):
        count, _, how, ns = said.split()
        assert (int(count), how) == (COUNT, "closed"), said
        return COUNT / int(ns) * 1e3

    def c_to_c(self):
        reader = self.c(1, "read", "name:" + self.name)
        self.c(0, "write", "name:" + self.name, COUNT, SIZE)
        return self.rate(self.case.said(reader))

    def python_to_c(self):
        reader = self.c(1, "read", "name:" + self.name)
        with bstream.Writer(self.name) as writer:
            for number, fill in zip(range(COUNT), cycle(FILL)):
                put_chunk(writer.reserve(SIZE), 0, number, fill)
                writer.commit()
        return self.rate(self.case.said(reader))

    def spans_to_c(self):
        reader = self.c(1, "read", "name:" + self.name)
        with bstream.Writer(self.name) as writer:
            for span, fill, number in zip(writer.spans(SIZE), cycle(FILL), range(COUNT)):
                put_chunk(span, 0, number, fill)
        return self.rate(self.case.said(reader))

    def spans_to_c_at_once(self):
        reader = self.c(1, "read", "name:" + self.name)
        with bstream.Writer(self.name) as writer:
            spans = writer.spans(SIZE, at_once=AT_ONCE)
            for span, fill, number in zip(spans, cycle(FILL), range(COUNT)):
                put_chunk(span, 0, number, fill)
        return self.rate(self.case.said(reader))

    def split_to_c(self):
        reader = self.c(1, "read", "name:" + self.name)
        data = bytearray().join(guard.chunk(number, SIZE) for number in range(SPLIT))
        with bstream.Writer(self.name) as writer:
            for first in range(0, COUNT, SPLIT):
                for number in range(first, min(first + SPLIT, COUNT)):
                    put_number(data, (number - first) * SIZE, number)
                writer.write_split(memoryview(data)[: (COUNT - first) * SIZE], SIZE)
        return self.rate(self.case.said(reader))

    def write_to_c(self):
        reader = self.c(1, "read", "name:" + self.name)
        with bstream.Writer(self.name) as writer:
            for number, fill in zip(range(COUNT), cycle(FILL)):
                writer.write(number.to_bytes(8, "little") + fill)
        return self.rate(self.case.said(reader))

    def c_to_python(self):
        self.c(0, "write", "name:" + self.name, COUNT, SIZE)
        return self._timed(lambda reader: reader.views())

    def c_to_python_at_once(self):
        self.c(0, "write", "name:" + self.name, COUNT, SIZE)
        return self._timed(lambda reader: reader.views(at_once=AT_ONCE))

    def c_to_read(self):
        self.c(0, "write", "name:" + self.name, COUNT, SIZE)
        return self._timed(iter)

    def _timed(self, chunks):
        expected = [bytearray(guard.chunk(number, SIZE)) for number in range(FILLINGS)]
        numbers = count()
        with bstream.Reader(self.name) as reader:
            coming = chunks(reader)
            assert next(numbers) == 0 and expected[0] == next(coming)
            start = time.monotonic_ns()
            for chunk, like, number in zip(coming, cycle(expected[1:] + expected[:1]), numbers):
                put_number(like, 0, number)
                assert like == chunk
            ns = time.monotonic_ns() - start
        return self.rate(f"{next(numbers)} 0 closed {ns}")


WAYS = [
    ("C to C", Round.c_to_c, None),
    ("Python to C, reserve and commit", Round.python_to_c, 0),
    ("Python to C, spans", Round.spans_to_c, 0),
    (f"Python to C, spans(at_once={AT_ONCE})", Round.spans_to_c_at_once, 0),
    (f"Python to C, write_split of {SPLIT}", Round.split_to_c, 0),
    ("Python to C, write", Round.write_to_c, 0),
    ("C to Python, views", Round.c_to_python, 1),
    (f"C to Python, views(at_once={AT_ONCE})", Round.c_to_python_at_once, 1),
    ("C to Python, read", Round.c_to_read, 1),
]


class Speed(guard.Case):
    def test_print(self):
        everywhere = os.sched_getaffinity(0)
        rates = {name: [] for name, _, _ in WAYS}
        for _ in range(ROUNDS):
            for name, way, cpu in WAYS:
                measured = Round(self)
                if cpu is not None:
                    pin(cpu)
                rates[name].append(way(measured))
                os.sched_setaffinity(0, everywhere)
                for child in self.children:
                    child.wait()
        print(f"# {COUNT} chunks of {SIZE} bytes, {ROUNDS} rounds in turns: million chunks a second")
        base = statistics.median(rates["C to C"])
        for name, _, _ in WAYS:
            median, low, high = statistics.median(rates[name]), min(rates[name]), max(rates[name])
            print(f"# {name:34} {median:6.3f}  ({low:.3f} to {high:.3f})  {median / base:4.2f} of C")


if __name__ == "__main__":
    guard.main()
