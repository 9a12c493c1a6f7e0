# SPDX-License-Identifier: MIT
"""Chunks a second between Python and C, against C and C, rounds in turns; prints, asserts nothing.

Usage: speed.py [SIZE [COUNT [ROUNDS]]], in the build tree. The figures mean something when the machine has
nothing else to do and there are many chunks: speed.py 4096 300000 7.

Every byte of every chunk is written and compared, on both sides; the chunks are numbered in periods longer than
a lap of the ring, so that Python has what it writes and what it expects ready, and what is measured is the
stream and not how numbers are packed.
"""

import os
import statistics
import sys
import time
from itertools import cycle

import guard
from guard import bstream

DEFAULTS = ["4096", "20000", "3"]
AT_ONCE = 8  # half of the default capacity: both sides work
SIZE, COUNT, ROUNDS = map(int, sys.argv[1:] + DEFAULTS[len(sys.argv) - 1 :])


CPUS = sorted(os.sched_getaffinity(0))  # before anybody is pinned: a child begins where its parent is


def pin(cpu):
    os.sched_setaffinity(0, {CPUS[cpu % len(CPUS)]})


PERIOD = 3 * guard.FILLINGS  # more than the default capacity
SPLIT = 12 * PERIOD
CHUNKS = [bytearray(guard.chunk(number, SIZE)) for number in range(PERIOD)]


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

    def c_writes(self):
        self.c(0, "write", "name:" + self.name, COUNT, SIZE, PERIOD)

    def c_reads(self):
        return self.c(1, "read", "name:" + self.name, PERIOD)

    def c_to_c(self):
        reader = self.c_reads()
        self.c_writes()
        return self.rate(self.case.said(reader))

    def python_to_c(self):
        reader = self.c_reads()
        with bstream.Writer(self.name) as writer:
            for chunk, _ in zip(cycle(CHUNKS), range(COUNT)):
                writer.reserve(SIZE)[:] = chunk
                writer.commit()
        return self.rate(self.case.said(reader))

    def spans_to_c(self, at_once=1):
        reader = self.c_reads()
        with bstream.Writer(self.name) as writer:
            for span, chunk, _ in zip(writer.spans(SIZE, at_once=at_once), cycle(CHUNKS), range(COUNT)):
                span[:] = chunk
        return self.rate(self.case.said(reader))

    def spans_to_c_at_once(self):
        return self.spans_to_c(AT_ONCE)

    def split_to_c(self):
        reader = self.c_reads()
        data = memoryview(bytearray().join(CHUNKS * (SPLIT // PERIOD)))
        with bstream.Writer(self.name) as writer:
            for first in range(0, COUNT, SPLIT):
                writer.write_split(data[: (COUNT - first) * SIZE], SIZE)
        return self.rate(self.case.said(reader))

    def write_to_c(self):
        reader = self.c_reads()
        with bstream.Writer(self.name) as writer:
            for chunk, _ in zip(cycle(map(bytes, CHUNKS)), range(COUNT)):
                writer.write(chunk)
        return self.rate(self.case.said(reader))

    def c_to_python(self):
        return self._timed(lambda reader: reader.views())

    def c_to_python_at_once(self):
        return self._timed(lambda reader: reader.views(at_once=AT_ONCE))

    def c_to_read(self):
        return self._timed(iter)

    def _timed(self, chunks):
        self.c_writes()
        count = 1
        with bstream.Reader(self.name) as reader:
            coming = chunks(reader)
            assert CHUNKS[0] == next(coming)
            start = time.monotonic_ns()
            for count, expected, chunk in zip(range(2, sys.maxsize), cycle(CHUNKS[1:] + CHUNKS[:1]), coming):
                assert expected == chunk
            ns = time.monotonic_ns() - start
        return self.rate(f"{count} 0 closed {ns}")


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
