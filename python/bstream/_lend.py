# SPDX-License-Identifier: MIT
"""Lends memory of a segment as memoryviews, and knows when the last of them has gone.

A slice or a cast of a memoryview lives on when the view itself is released, so that it is not
enough to release what was handed out. What is lent is therefore a chain:

    user's views  ->  .base  ->  ctypes array  ->  Hold

`base` is a memoryview that nobody outside sees. Each loan asks it for its buffer anew, through a
PickleBuffer (a memoryview of a memoryview would share its buffer, and not count). The loan and all
that is cut from it hold one reference to `base`, until the last of them is released: its reference
count tells. The array at the end keeps the Hold, and with it the mapping, so that not even an end
that was forgotten with a view still around is unmapped under it.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import warnings
import weakref
from functools import partial
from operator import itemgetter
from pickle import PickleBuffer
from struct import Struct
from sys import getrefcount
from typing import TYPE_CHECKING, Any, Callable, Optional

_SPOTS_MAX = 4096  # spots remembered; beyond that they are made anew
_CUT_MAX = 16384  # likewise: chunks of batches

pairs_of = Struct("QQ").iter_unpack  # of struct iovec: address and size


class Hold:
    """Owns a C handle, from the call that made it to the one that frees it. If it is forgotten
    before, `died` frees it: for a writer as a death, which is no clean end."""

    __slots__ = ("address", "died", "pid", "owed", "__weakref__")

    def __init__(self, address: int, died: Callable[[int], None]) -> None:
        self.address = address
        self.died = died
        self.pid = os.getpid()
        self.owed: Callable[[], object] = int  # what is to be done before that

    def take(self) -> int:
        """The handle, which is the caller's now."""
        address, self.address = self.address, 0
        return address

    def __del__(self) -> None:
        address = self.take()
        if address:
            try:
                self.owed()
            finally:
                self.died(address)


class Spot:
    """A place in the segment from which memory was lent, and its `base`."""

    __slots__ = ("base", "buffer", "size", "idle")

    def __init__(self, hold: Hold, address: int, size: int, readonly: bool) -> None:
        size = max(size, 1)  # an array of nothing cannot be cast
        array: Any = (ctypes.c_ubyte * size).from_address(address)
        array.hold = hold
        base = memoryview(array).cast("B")
        self.base = base.toreadonly() if readonly else base
        self.buffer = PickleBuffer(self.base)
        self.size = size
        del base
        self.idle = getrefcount(self.base)  # while nothing is lent


class Span:
    """The spot that spans all chunks of a stream that were lent in batches so far, and how to cut
    them out of it. Batches of the same addresses and sizes come again and again."""

    __slots__ = ("spot", "start", "end", "last", "cuts", "cut")

    def __init__(self, spot: Spot, start: int, end: int) -> None:
        self.spot = spot
        self.start, self.end = start, end
        self.last = start  # where the last chunk ends
        self.cuts: dict[bytes, Callable[[memoryview], tuple[memoryview, ...]]] = {}
        self.cut = 0  # chunks in them

    def cutter(self, pairs: bytes) -> Optional[Callable[[memoryview], tuple[memoryview, ...]]]:
        """Makes the memoryviews of all in one call, and one of nothing behind them. None: they are not all
        in it."""
        start, slices = self.start, []
        for address, size in pairs_of(pairs):
            if address < start or address + size > self.end:
                return None
            self.last = max(self.last, address + size)
            slices.append(slice(address - start, address - start + size))
        self.cut += len(slices)
        if self.cut > _CUT_MAX:
            self.cuts.clear()
            self.cut = len(slices)
        cutter = self.cuts[pairs] = itemgetter(*slices, slice(0))
        return cutter


def nothing_to_pay(vector: Any, done: int) -> int:
    return 0


if TYPE_CHECKING:
    _Views = list[memoryview]
else:
    _Views = list


class Batch(_Views):
    """The memoryviews of several chunks that are lent together, and how far the loop through them has come.
    A list itself, and made without a function of ours: a class and a list take twice as long."""

    __slots__ = ("left", "spot", "vector")
    left: Any  # the list's iterator, until nothing is lent
    spot: Spot
    vector: Any  # where the library has written of them

    def given(self) -> int:
        """How many the loop was given; it is done with all of them but the last."""
        return len(self) - int(self.left.__length_hint__())

    def stop(self) -> int:
        """The loop is given no more of it. How many it was given."""
        given = self.given()
        del self[given:]
        return given

    def done(self) -> int:
        """Likewise, but how many the loop is done with."""
        return max(self.stop() - 1, 0)

    def free(self) -> None:
        """Nobody has memory of what was given; or BufferError."""
        for view in self:
            view.release()
        if getrefcount(self.spot.base) != self.spot.idle:
            raise Lender.in_use()


class Lender:
    """Lends one piece of memory at a time, or those of a batch."""

    __slots__ = (
        "_hold", "_readonly", "spots", "spot", "view", "batch", "_span", "pay", "__weakref__"
    )  # fmt: skip

    def __init__(self, hold: Hold, readonly: bool) -> None:
        self._hold: Optional[Hold] = hold
        self._readonly = readonly
        self.spots: dict[int, Spot] = {}
        self.spot: Optional[Spot] = None  # where it was lent from, until nobody has it
        self.view: Optional[memoryview] = None  # what is lent now
        self.batch: Optional[Batch] = None  # or what is lent now in its place, from _span
        self._span: Optional[Span] = None
        # gives that many chunks of a batch to the other side; what it says is the library's
        self.pay: Callable[[Any, int], int] = nothing_to_pay
        _lenders.add(self)

    def lend(self, address: int, size: int) -> memoryview:
        spot = self.spots.get(address)
        if spot is None or spot.size < size:
            spot = self.remember(address, size)
        self.spot = spot
        view = memoryview(spot.buffer)
        if size != spot.size:
            view = view[:size]
        self.view = view
        return view

    def remember(self, address: int, size: int) -> Spot:
        assert self._hold is not None
        if len(self.spots) >= _SPOTS_MAX:
            self.spots.clear()
        spot = self.spots[address] = Spot(self._hold, address, size, self._readonly)
        return spot

    def lend_batch(self, pairs: bytes, vector: Any) -> Batch:
        """Those at the pairs of address and size, as struct iovec has them, which are in the vector too."""
        span = self._span
        cutter = span and (span.cuts.get(pairs) or span.cutter(pairs))
        if not cutter:
            span = self._span = self._span_wider(pairs)
            cutter = span.cutter(pairs)
        assert span is not None and cutter is not None
        spot = span.spot
        # No name for the loan: if Ctrl-C comes in here, the traceback must not keep it.
        batch = Batch(cutter(memoryview(spot.buffer)))
        batch.pop()  # of nothing: with one slice alone an itemgetter would make no tuple
        batch.left = iter(batch)
        batch.spot = spot
        batch.vector = vector
        self.batch = batch
        self.spot = spot
        return batch

    def _span_wider(self, pairs: bytes) -> Span:
        """Twice as long as it was at least, so that it is seldom; nobody touches what is beyond."""
        assert self._hold is not None
        old = self._span
        start = min(address for address, _ in pairs_of(pairs))
        end = max(address + size for address, size in pairs_of(pairs))
        if old is not None:
            start = min(start, old.start)
            end = max(end, old.end, start + 2 * (old.end - old.start))
        return Span(Spot(self._hold, start, end - start, self._readonly), start, end)

    def end_batch(self, done: int) -> int:
        """Nobody has memory of the batch after this, and its first `done` chunks are the other side's: what
        the library says of that. Or BufferError, and they are as they were. Interrupted, it is done all the
        same for a writer, and for a reader perhaps not: its chunks come again."""
        batch = self.batch
        assert batch is not None
        for view in batch:  # as free() does
            view.release()
        spot = batch.spot
        if getrefcount(spot.base) != spot.idle:
            raise self.in_use()
        rc: Optional[int] = None
        try:
            if self._readonly:
                self.batch = self.spot = None
            rc = self.pay(batch.vector, done)
        finally:
            if rc is None and not self._readonly:
                self.pay(batch.vector, done)  # interrupted: behind it, nothing is left to be paid
            batch.clear()  # a loop that is still in it goes on to the next
            batch.left = None  # it refers to the batch, too
            self.batch = self.spot = None
        return rc

    def revoke(self) -> None:
        """Nobody has the memory after this, or BufferError. What a loop is done with is the other side's; if
        that has gone there is nobody to tell."""
        if self.batch is not None:
            self.end_batch(self.batch.done())
            return
        view, spot = self.view, self.spot
        if view is not None:
            view.release()  # BufferError, if an array or the like was made of it
            self.view = view = None
        if spot is not None:
            if getrefcount(spot.base) != spot.idle:
                raise self.in_use()
            self.spot = None

    @staticmethod
    def in_use() -> BufferError:
        return BufferError("a slice of the chunk's memoryview still exists")

    def drop(self) -> None:
        """The end is over. What is still lent keeps the Hold, and so the memory, by itself; of a batch goes
        what the loop was done with to the other side when that has gone."""
        hold, batch = self._hold, self.batch
        if hold is not None and batch is not None:
            hold.owed = partial(self.pay, batch.vector, batch.done())
            batch.clear()  # a loop that somebody keeps must not keep the Hold
            batch.left = None
            del batch.spot
        self._hold = None
        self.spots.clear()
        self.spot = self.view = self.batch = self._span = None

    def after_fork(self) -> None:
        """The mapping is not there in this child. What cannot be revoked reads zeros."""
        try:
            self.revoke()
        except BufferError:
            span, spot = self._span, self.spot
            if span is not None and span.spot is spot:
                _fill(span.start, span.last - span.start)
            elif spot is not None:
                array: Any = spot.base.obj
                _fill(ctypes.addressof(array), spot.size)


_lenders: "weakref.WeakSet[Lender]" = weakref.WeakSet()


def _fill(address: int, size: int) -> None:
    """Memory of this process's own where its parent had a segment mapped."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_int64]
    start = address & -mmap.PAGESIZE
    end = (address + size + mmap.PAGESIZE - 1) & -mmap.PAGESIZE
    fixed_noreplace = 0x100000
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | fixed_noreplace
    libc.mmap(start, end - start, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)


def after_fork() -> None:
    for lender in list(_lenders):
        lender.after_fork()


def warn_forgotten(end: object, hold: Optional[Hold]) -> None:
    """For __del__ of ends: nobody closed it."""
    if hold is not None and hold.address and hold.pid == os.getpid():
        warnings.warn(f"unclosed {end!r}", ResourceWarning, stacklevel=2, source=end)
