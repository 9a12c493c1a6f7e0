# SPDX-License-Identifier: MIT
"""The two ends of a stream: Writer and Reader.

One thread at a time is in an end, and that does not rest on the caller's good will: an operation
takes the handle out of `_h`, and puts it back when it is done. Who finds None there gets
RuntimeError (another thread is in the end, or this one's signal handler came in between) or
ValueError (it is closed). Taking is a load and a store with no point in between at which
the interpreter changes threads or runs signal handlers; that is so in CPython from 3.11 on, with its GIL.
3.10 has such a point at the jump in between, 3.8 and 3.9 at most instructions: there it rests on the
caller after all, as doc/python.md says.

What is called for each chunk is written for speed: a call costs more than what it does, so arguments
are made once and passed ready (_arg, _at, _at2), and views() has in its own loop what peek() and
release() do, and looks at several chunks with one call; spans() has what reserve() and commit() do, as one
call. With at_once the loop itself is C (Loop). doc/python.md says what is left.

What does not wait is called with the GIL held; only when the library says EAGAIN is it called again
with the GIL given up, and in the main thread in slices, for the sake of Ctrl-C (see _deadline.py).
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import socket
from array import array
from contextlib import contextmanager
from itertools import chain
from sys import getrefcount
from types import TracebackType
from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, Generator, Iterable, Iterator
from typing import Optional, Union

from . import _deadline
from ._lend import Batch, Hold, Lender, pairs_of, warn_forgotten
from ._library import bare, now, patient, ready
from ._stat import Stat, c_stat, stat_of
from .errors import ChunkSizeError, failure, reset

_AGAIN = -errno.EAGAIN
_BIG = 65536  # bytes; the GIL is given up to copy more
_MANY = 256  # chunks that views() and spans() give at once, at most
_SPLIT_MAX = 4096  # chunks of which write_split() remembers where they are
_AHEAD = 16  # chunks at which views() looks in one call

_INT_MAX = 2**31 - 1
_DONT_WAIT = None  # as an argument without a type: zero, and the cheapest that there is

_peek = bare("peek")
_release = bare("release")
_peek_many = bare("peek_many")
_release_many = bare("release_many")
_write_many = bare("write_many")
_read = bare("read")
_write = bare("write")
_reserve = bare("reserve")
_commit = bare("commit")
_commit_reserve = bare("commit_reserve")
_reserve_many = bare("reserve_many")
_commit_many = bare("commit_many")
_cancel = bare("cancel")

Buffer = Any  # bytes, bytearray, memoryview, array, numpy.ndarray, …
Socket = Union[socket.socket, int]


def name_of(name: Union[str, bytes]) -> bytes:
    """A name for the library, which says EINVAL to what no name can be."""
    encoded = os.fsencode(name)
    if b"\0" in encoded:
        raise failure(-errno.EINVAL, str(name))
    return encoded


class Vector:
    """Memory for struct iovec[count]: addresses and sizes in turns, and where it is."""

    __slots__ = ("count", "total", "words", "raw", "place", "at")

    def __init__(self, count: int) -> None:
        array = (ctypes.c_uint64 * (2 * count))()
        self.count = count
        self.total = 0  # bytes, once it was filled
        self.raw = memoryview(array).cast("B")
        self.words = self.raw.cast("Q")
        self.place = ctypes.addressof(array)
        self.at = ready(self.place)

    def fill(self, addresses: Iterable[int], sizes: list[int]) -> None:
        self.words[: 2 * len(sizes) : 2] = memoryview(array("Q", addresses))
        self.words[1 : 2 * len(sizes) : 2] = memoryview(array("Q", sizes))
        self.total = sum(sizes)

    def pairs(self, count: int) -> bytes:
        return (self.raw if count == self.count else self.raw[: 16 * count]).tobytes()


if TYPE_CHECKING:
    _Chain = chain[memoryview]
else:
    _Chain = chain


class Loop(_Chain):
    """Through the chunks of batches, of which a generator gives one after the other. It runs once for each
    batch, and no bytecode for each chunk. The generator is kept here, too: a chain forgets it when it raises,
    though it may run in another thread."""

    __slots__ = ("_batches",)
    _batches: Generator[Any, None, None]

    @classmethod
    def through(cls, batches: Generator[Any, None, None]) -> Loop:
        loop = cls.from_iterable(batches)
        assert isinstance(loop, Loop)
        loop._batches = batches
        return loop

    def close(self) -> None:
        """As a generator's."""
        self._batches.close()


class Bytes(int):
    """A size that is told from every other of the same value: of the reservations of one loop."""


class Handles:
    """Memory for out-parameters: two words, and where they are."""

    __slots__ = ("words", "first", "second")

    def __init__(self) -> None:
        self.words = (ctypes.c_uint64 * 2)()
        self.first = ctypes.c_size_t(ctypes.addressof(self.words))
        self.second = ctypes.c_size_t(self.first.value + 8)


def _socket_wait(sock: Socket, events: int) -> int:
    """Wait as the socket would, but so that signals are heard. Its descriptor."""
    fd = sock if isinstance(sock, int) else sock.fileno()
    timeout: Optional[float] = None
    if not isinstance(sock, int):
        timeout = sock.gettimeout()
    elif not os.get_blocking(fd):
        timeout = 0
    if timeout == 0:
        return fd  # the call itself says EAGAIN
    poll = select.poll()
    poll.register(fd, events)
    if not poll.poll(None if timeout is None else timeout * 1000):
        raise failure(-errno.ETIMEDOUT)
    return fd


class _End:
    """What both ends share."""

    __slots__ = ("_h", "_arg", "_hold", "_lender", "_out", "_words", "_at", "_at2", "__weakref__")

    _kind: str  # of the C functions: "reader" or "writer"

    def __init__(self, name: Union[str, bytes], timeout: Optional[float] = None) -> None:
        self._h: Optional[ctypes.c_size_t] = None
        self._hold: Optional[Hold] = None
        out = Handles()
        rc = _deadline.until(
            _deadline.at(timeout),
            getattr(patient, "open_" + self._kind),
            name_of(name),
            behind=(out.first,),
        )
        if rc < 0:
            raise failure(rc, os.fsdecode(name))
        self._settle(out.words[0])

    def _settle(self, address: int) -> None:
        self._hold = Hold(address, self._died)
        self._lender = Lender(self._hold, readonly=self._kind == "reader")
        self._out = out = Handles()
        self._words = out.words
        self._at, self._at2 = ready(out.first.value), ready(out.second.value)
        self._arg = ready(address)  # _h, for bare functions
        self._h = ctypes.c_size_t(address)

    @classmethod
    def _of(cls, address: int) -> Any:
        """The end of a C handle, which is the end's from here on."""
        end = cls.__new__(cls)
        end._settle(address)
        return end

    @staticmethod
    def _died(address: int) -> None:
        """Frees a handle that nobody closed."""
        raise NotImplementedError

    # ---- the handle, taken and given back ----

    def _refusal(self) -> Exception:
        kind = type(self).__name__
        if self._hold is None or not self._hold.address:
            return ValueError(f"operation on a closed {kind}")
        return RuntimeError(f"this {kind} is in use: by another thread, or below a signal handler")

    def _take(self) -> ctypes.c_size_t:
        h = self._h
        if h is None:
            raise self._refusal()
        self._h = None
        return h

    def _give(self, call: Callable[[int], int]) -> int:
        """call(handle), which consumes the handle unless it fails. What it returned."""
        h: Optional[ctypes.c_size_t] = self._take()
        hold = self._hold
        assert hold is not None
        try:
            self._lender.revoke()
            rc = call(hold.address)
            if rc >= 0:
                hold.take()
                h = None
                self._gone()
        finally:
            self._h = h
        if rc < 0:
            raise failure(rc)
        return rc

    def _gone(self) -> None:
        self._hold = None
        self._lender.drop()

    def _let_go(self) -> None:
        """Closes as somebody who died would: at once, or when the last memoryview has gone."""
        if self.closed:
            return
        self._take()
        hold = self._hold
        assert hold is not None
        try:
            self._lender.revoke()
        except BufferError:
            self._gone()
            return
        self._gone()
        self._died(hold.take())

    def _wait(
        self, h: ctypes.c_size_t, timeout: Optional[float], call: Callable[..., int], *args: Any
    ) -> int:
        """call(h, *args, deadline), the GIL given up."""
        return _deadline.until(_deadline.at(timeout), call, h, *args)

    # ---- what the user sees ----

    @property
    def closed(self) -> bool:
        """Whether the end was closed, or moved away."""
        return self._hold is None

    def stat(self) -> Stat:
        """The state of the stream behind this end."""
        stat = c_stat()
        h = self._take()
        try:
            rc = getattr(now, self._kind + "_stat")(h, ctypes.byref(stat))
        finally:
            self._h = h
        if rc < 0:
            raise failure(rc)
        return stat_of(stat)

    def fileno(self) -> int:
        """A descriptor for select, selectors and asyncio: readable (of a Writer, too) whenever a
        read or a write would not raise BlockingIOError. It may be readable when nothing can be
        had: try with timeout=0. The end's own: neither to be closed nor read."""
        h = self._take()
        try:
            rc: int = getattr(patient, self._kind + "_pollfd")(h)
        finally:
            self._h = h
        if rc < 0:
            raise failure(rc)
        return rc

    def detach(self) -> int:
        """Turns the end into one descriptor, to be handed to another process, which makes it an
        end again with attach(). It is close-on-exec: os.set_inheritable() lets it through an exec.
        Closing its last copy without attaching counts as a death."""
        self._stay()
        return self._give(getattr(patient, self._kind + "_detach"))

    def send(self, sock: Socket) -> None:
        """Sends the end over a Unix socket, to whoever calls recv() there. Waits as the socket does."""
        self._stay()
        fd = _socket_wait(sock, select.POLLOUT)
        call = getattr(patient, self._kind + "_send")
        self._give(lambda h: int(call(fd, h)))

    def _stay(self) -> None:
        """Raises what is in the way of a move, if it is known here only."""

    @classmethod
    def _attached(cls, fd: int) -> Any:
        out = Handles()
        rc = getattr(patient, cls._kind + "_attach")(fd, out.first)
        if rc < 0:
            raise failure(rc)
        return cls._of(out.words[0])

    @classmethod
    def _received(cls, sock: Socket) -> Any:
        out = Handles()
        rc = getattr(patient, cls._kind + "_recv")(_socket_wait(sock, select.POLLIN), out.first)
        if rc < 0:
            raise reset(-rc)
        return cls._of(out.words[0])

    def __repr__(self) -> str:
        """As bstream_writer_describe: "Writer(name, 3/16 chunks, open)"."""
        kind = type(self).__name__
        h = self._h
        if h is None:
            return f"{kind}({'closed' if self.closed else 'in use'})"
        text = ctypes.create_string_buffer(512)
        getattr(now, self._kind + "_describe")(h, text, len(text))
        return kind + text.value.decode("utf-8", "replace")[len("bstream_" + self._kind) :]

    def __reduce__(self) -> Any:
        raise TypeError(f"a {type(self).__name__} cannot be pickled: move it by detach() or send()")

    def __del__(self) -> None:
        lender = getattr(self, "_lender", None)
        if lender is not None:
            lender.drop()
        warn_forgotten(self, getattr(self, "_hold", None))


class Writer(_End):
    """A write end: `Writer("logs")` opens it by name, and waits for the name to exist.

    A `with` block closes it; but when an exception ends the block, or when the Writer is forgotten
    without close(), the stream ends as if the process had died: its reader gets WriterDiedError
    behind the last chunk, and takes a part for no whole.
    """

    __slots__ = ("_reserved", "_split")

    _kind = "writer"

    def _settle(self, address: int) -> None:
        super()._settle(address)
        self._reserved: Optional[int] = None  # bytes
        self._split: Optional[tuple[tuple[int, int, int], Vector]] = None
        arg = self._arg

        def pay(vector: Vector, done: int) -> int:
            if not done:
                _cancel(arg)  # says nothing: what comes back is no number
                return 0
            rc: int = _commit_many(arg, vector.at, done)
            return rc

        self._lender.pay = pay

    @staticmethod
    def _died(address: int) -> None:
        """An end that is one descriptor, closed: that is what a death looks like."""
        now.cancel(address)
        fd = patient.writer_detach(address)
        if fd >= 0:
            os.close(fd)
        else:  # a forked child's copy: nothing but memory
            now.writer_close(address)

    @classmethod
    def attach(cls, fd: int) -> Writer:
        """The write end that detach() made `fd` of. It owns `fd` unless this fails."""
        writer: Writer = cls._attached(fd)
        return writer

    @classmethod
    def recv(cls, sock: Socket) -> Writer:
        """Receives a write end from a Unix socket. Waits as the socket does."""
        writer: Writer = cls._received(sock)
        return writer

    def write(self, data: Buffer, timeout: Optional[float] = None) -> int:
        """Writes one chunk, whole or not at all; any contiguous buffer will do. Its size."""
        if type(data) is not bytes:
            return self._write_buffer(data, timeout)
        size = len(data)
        h = self._h
        if h is None:
            raise self._refusal()
        self._h = None
        try:
            rc = _AGAIN if size > _BIG else _write(self._arg, data, size, _DONT_WAIT)
            if rc == _AGAIN and (timeout != 0 or size > _BIG):
                rc = self._wait(h, timeout, patient.write, data, size)
        finally:
            self._h = h
        if rc < 0:
            raise failure(rc)
        return size

    def writev(self, parts: Any, timeout: Optional[float] = None) -> int:
        """Writes one chunk that is the concatenation of several buffers. Its size."""
        views = [memoryview(part) for part in parts]
        size = sum(view.nbytes for view in views)
        span = self.reserve(size, timeout)
        try:
            at = 0
            for view in views:
                if view.nbytes:
                    span[at : at + view.nbytes] = view.cast("B")
                    at += view.nbytes
        except BaseException:
            self.cancel()
            raise
        self.commit()
        return size

    def write_split(self, data: Buffer, size: int, timeout: Optional[float] = None) -> int:
        """Writes one contiguous buffer as chunks of `size` bytes (the last may be shorter), in one call
        for many: far cheaper than write() for each where the bytes are in one place. How many: all, or
        as many as there was room for in time, if that was one at least. Chunks of other writers may
        come in between."""
        if size < 1:
            raise ValueError(f"size must be at least 1, not {size!r}")
        with memoryview(data) as view:
            total, keep = view.nbytes, view.readonly or not view.c_contiguous
        if keep and type(data) is not bytes:
            data = bytes(memoryview(data))
        if not total:
            return 0
        if keep:
            memory = ctypes.cast(data, ctypes.POINTER(ctypes.c_char)).contents
        else:
            memory = ctypes.c_char.from_buffer(data)
        address = ctypes.addressof(memory)  # which keeps the bytes, and their place
        end = _deadline.at(timeout)
        done = rc = 0
        for first in range(0, total, size * _SPLIT_MAX):
            vector = self._split_vector(address + first, min(total - first, size * _SPLIT_MAX), size)
            n, rc = self._write_vector(vector, vector.count, end)
            done += n
            if rc < 0:
                break
        return self._written(done, rc)

    def _split_vector(self, address: int, total: int, size: int) -> Vector:
        key = address, total, size
        if self._split is None or self._split[0] != key:
            starts = range(address, address + total, size)
            vector = Vector(len(starts))
            vector.fill(starts, [min(size, address + total - start) for start in starts])
            self._split = key, vector
        return self._split[1]

    def _write_vector(self, vector: Vector, count: int, end: int) -> tuple[int, int]:
        """How many were written, and if not all: why."""
        h = self._h
        if h is None:
            raise self._refusal()
        self._h = None
        done = rc = 0
        try:
            while done < count and rc >= 0:
                at = ready(vector.place + 16 * done) if done else vector.at
                big = vector.total > _BIG
                rc = _AGAIN if big else _write_many(self._arg, at, count - done, _DONT_WAIT)
                if rc == _AGAIN and (end or big):
                    call, place = patient.write_many, vector.place + 16 * done
                    rc = _deadline.until(end, call, h, place, count - done)
                done += max(rc, 0)
        finally:
            self._h = h
        return done, min(rc, 0)

    @staticmethod
    def _written(done: int, rc: int) -> int:
        if rc < 0 and not (done and rc in (_AGAIN, -errno.ETIMEDOUT)):
            raise failure(rc)
        return done

    def _write_buffer(self, data: Buffer, timeout: Optional[float]) -> int:
        view = memoryview(data)
        if not view.c_contiguous:
            return self.write(view.tobytes(), timeout)
        return self.writev((view,), timeout)

    def reserve(self, size: int, timeout: Optional[float] = None) -> memoryview:
        """The next chunk's memory, `size` bytes of any content, to be written in place. commit()
        or cancel() ends it, and the memoryview with it: if a slice, a cast or an array made of it
        is still there, they raise BufferError and change nothing. Later chunks of other writers
        wait behind it meanwhile."""
        h = self._h
        if h is None:
            raise self._refusal()
        self._h = None
        try:
            if not 0 <= size <= _INT_MAX:
                raise failure(-errno.EMSGSIZE)
            rc = _reserve(self._arg, size, self._at, _DONT_WAIT)
            if rc == _AGAIN and timeout != 0:
                rc = self._wait_reserve(h, size, timeout)
            if rc == 0:
                self._reserved = size
                lender = self._lender  # lent as lend() does
                address = self._words[0]
                spot = lender.spots.get(address)
                if spot is None or spot.size < size:
                    spot = lender.remember(address, size)
                view = memoryview(spot.buffer)
                if size != spot.size:
                    view = view[:size]
                lender.spot = spot
                lender.view = view
                return view
        except BaseException:  # Ctrl-C perhaps, and the library had reserved
            if self._reserved is None:
                now.cancel(h)
            raise
        finally:
            self._h = h
        raise failure(rc)

    def _wait_reserve(self, h: ctypes.c_size_t, size: int, timeout: Optional[float]) -> int:
        return _deadline.until(
            _deadline.at(timeout), lambda end: int(patient.reserve(h, size, self._out.first, end))
        )

    def commit(self, size: Optional[int] = None) -> None:
        """Makes the first `size` bytes of the reservation (all of it by default) a chunk."""
        h = self._h
        if h is None:
            raise self._refusal()
        self._h = None
        try:
            lender = self._lender
            batch = lender.batch
            if batch is not None:
                rc = self._commit_batch(batch, size)
            else:
                view, spot = lender.view, lender.spot
                if view is None or spot is None:
                    lender.revoke()
                else:  # as revoke() does
                    view.release()
                    lender.view = view = None
                    if getrefcount(spot.base) != spot.idle:
                        raise lender.in_use()
                    lender.spot = None
                if size is None:
                    size = self._reserved or 0
                rc = _commit(self._arg, size) if 0 <= size <= _INT_MAX else -errno.EINVAL
            if rc == 0 or rc == -errno.EPIPE:
                self._reserved = None
        finally:
            self._h = h
        if rc < 0:
            raise failure(rc)

    def _commit_batch(self, batch: Batch, size: Optional[int]) -> int:
        """The chunk that the loop of spans() is at has `size` bytes; those behind it are cancelled."""
        all_of_it = self._reserved or 0
        if size is None:
            size = all_of_it
        given = batch.given()
        if given < 1 or not 0 <= size <= all_of_it:
            return -errno.EINVAL
        try:
            batch.stop()
            batch.free()
            batch.vector.words[2 * given - 1] = size
            return self._lender.end_batch(given)
        finally:
            if self._lender.batch is None:
                self._reserved = None

    def cancel(self) -> None:
        """Gives up the reservation: nothing of it is ever read. Without one it does nothing."""
        h = self._take()
        try:
            self._lender.revoke()
            now.cancel(h)
            self._reserved = None
        finally:
            self._h = h

    @contextmanager
    def reserving(self, size: int, timeout: Optional[float] = None) -> Iterator[memoryview]:
        """`with writer.reserving(4096) as span:` commits all of it when the block ends, unless the
        block did commit(n) or cancel() itself; an exception cancels."""
        span = self.reserve(size, timeout)
        try:
            yield span
        except BaseException:
            if self._reserved is not None:
                try:
                    self.cancel()
                except BufferError:  # the traceback holds a slice: close() or abort() cancels
                    pass
            raise
        if self._reserved is not None:
            self.commit()

    def spans(
        self, size: int, timeout: Optional[float] = None, at_once: int = 1
    ) -> Iterator[memoryview]:
        """The memory of one chunk after the other, as reserve() gives it: going on to the next commits all
        `size` bytes of the last, unless the loop's body did commit(n) or cancel() itself. A loop that is
        left by break or by an exception cancels its reservation. `timeout` is for each.

        With at_once > 1 up to that many are reserved and committed together, which costs less: as many as
        there is room for. The reader sees them, and slices are found (BufferError), once the loop is through
        them, when its body calls commit() or cancel(), or when it is left: then those before the loop's own
        chunk are committed, and those behind it cancelled. Chunks of other writers wait that long.
        `timeout` is for each such batch."""
        if at_once < 1:
            raise ValueError(f"at_once must be at least 1, not {at_once!r}")
        if not 0 <= size <= _INT_MAX:
            raise failure(-errno.EMSGSIZE)
        if at_once == 1:
            return self._spans(size, timeout)
        return Loop.through(self._spans_many(size, timeout, min(at_once, _MANY)))

    def _spans_many(
        self, size: int, timeout: Optional[float], at_once: int
    ) -> Generator[Any, None, None]:
        lender, arg, vector = self._lender, self._arg, Vector(at_once)
        at, raw = vector.at, vector.raw
        length, count = ready(size), ready(at_once)
        mine = Bytes(size)
        batch: Optional[Batch] = None
        try:
            while True:
                h = self._h
                if h is None:
                    raise self._refusal()
                self._h = None
                try:
                    rc = 0
                    if batch is not None and lender.batch is batch:
                        rc = lender.end_batch(len(batch))
                    elif self._reserved is not mine:
                        if self._reserved is not None:
                            raise failure(-errno.EBUSY)
                        self._reserved = mine  # from here on an interruption cancels it
                    if rc == 0:
                        rc = _reserve_many(arg, length, at, count, _DONT_WAIT)
                    if rc == _AGAIN and timeout != 0:
                        call, place = patient.reserve_many, vector.place
                        rc = self._wait(h, timeout, call, size, place, at_once)
                    if rc < 0:
                        self._reserved = None
                        raise failure(rc)
                    pairs = raw.tobytes() if rc == at_once else vector.pairs(rc)
                    batch = lender.lend_batch(pairs, vector)
                finally:
                    self._h = h
                yield batch.left
        except BufferError:  # what has a slice can neither be committed nor cancelled
            raise
        except BaseException:
            try:
                self._leave(mine)
            except BaseException:  # Ctrl-C in there
                self._leave(mine)
                raise
            raise

    def _spans(self, size: int, timeout: Optional[float]) -> Iterator[memoryview]:
        lender, spots, arg = self._lender, self._lender.spots, self._arg
        place = array("Q", [0])
        length, at = ready(size), ready(place.buffer_info()[0])
        mine = Bytes(size)
        spot: Any = None
        view: Any = None
        try:
            while True:
                h = self._h
                if h is None:
                    raise self._refusal()
                self._h = None
                try:
                    if self._reserved is not mine:  # the first, or the body did commit() or cancel()
                        address = self._reserve_next(h, mine, timeout, False)
                    else:
                        view.release()  # as revoke() does; if that was called, once more does no harm
                        if getrefcount(spot.base) != spot.idle:
                            raise lender.in_use()
                        rc = _commit_reserve(arg, length, at)
                        if rc == 1:
                            address = place[0]
                        else:
                            lender.revoke()
                            if rc < 0:
                                if rc == -errno.EPIPE:
                                    self._reserved = None
                                raise failure(rc)
                            address = self._reserve_next(h, mine, timeout, True)
                    spot = spots.get(address)
                    if spot is None or spot.size != size:
                        view = lender.lend(address, size)
                        spot = lender.spot
                    else:
                        lender.spot = spot
                        lender.view = view = memoryview(spot.buffer)
                finally:
                    self._h = h
                yield view
        except BufferError:  # what has a slice can neither be committed nor cancelled
            raise
        except BaseException:
            try:
                self._leave(mine)
            except BaseException:  # as in _spans_many
                self._leave(mine)
                raise
            raise

    def _reserve_next(
        self, h: ctypes.c_size_t, mine: Bytes, timeout: Optional[float], full: bool
    ) -> int:
        """Reserves, for spans(): the address. `full`: it could not be had at once."""
        if self._reserved is not mine:
            if self._reserved is not None:
                raise failure(-errno.EBUSY)
            self._reserved = mine  # from here on an interruption cancels it
        rc = _AGAIN
        if not full or timeout == 0:
            rc = _reserve(self._arg, mine, self._at, _DONT_WAIT)
        if rc == _AGAIN and timeout != 0:
            rc = self._wait_reserve(h, mine, timeout)
        if rc < 0:
            self._reserved = None
            raise failure(rc)
        return self._words[0]

    def _leave(self, mine: Bytes) -> None:
        """The loop was left: its chunk and those behind it are never read, those before it are. If a slice is
        still there, that takes a cancel() or close() later."""
        h = self._h
        if h is None or self._reserved is not mine:
            return
        self._h = None
        try:
            self._lender.revoke()
            now.cancel(h)
            self._reserved = None
        except BufferError:
            pass
        finally:
            self._h = h

    def _stay(self) -> None:
        if self._lender.batch is not None:  # as the library says with one chunk reserved
            raise failure(-errno.EBUSY)

    def clone(self) -> Writer:
        """Another write end of the same stream: for another thread."""
        out = Handles()
        h = self._take()
        try:
            rc = patient.writer_clone(h, out.first)
        finally:
            self._h = h
        if rc < 0:
            raise failure(rc)
        clone: Writer = Writer._of(out.words[0])
        return clone

    def drain(self, timeout: Optional[float] = None) -> None:
        """Waits until the reader has released every chunk written before, by whichever writer."""
        h = self._take()
        try:
            rc = self._wait(h, timeout, patient.drain)
        finally:
            self._h = h
        if rc < 0:
            raise failure(rc)

    def close(self) -> None:
        """Closes the write end; a reservation is cancelled. When it was the last, the stream ends
        behind its last chunk. Again is fine."""
        if not self.closed:
            self._give(lambda h: now.writer_close(h) or 0)

    def abort(self) -> None:
        """Leaves the stream as if this process had died: the reader gets every chunk written, and
        then WriterDiedError. Never fails; done already when the Writer is closed."""
        self._let_go()

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


class Reader(_End):
    """The read end: `Reader("logs")` opens it by name, and waits for the name to exist.

    `for chunk in reader` gives each chunk as bytes, to the end of the stream; if a writer died
    without closing, WriterDiedError comes behind the last chunk. views() does so without a copy.
    """

    __slots__ = ("_buffer",)

    _kind = "reader"

    def _settle(self, address: int) -> None:
        super()._settle(address)
        self._buffer: Any = None
        arg = self._arg

        def pay(_: Vector, done: int) -> int:
            rc: int = _release_many(arg, done) if done else 0
            return rc

        self._lender.pay = pay

    @staticmethod
    def _died(address: int) -> None:
        now.reader_close(address)

    @classmethod
    def attach(cls, fd: int) -> Reader:
        """The read end that detach() made `fd` of. It owns `fd` unless this fails."""
        reader: Reader = cls._attached(fd)
        return reader

    @classmethod
    def recv(cls, sock: Socket) -> Reader:
        """Receives a read end from a Unix socket. Waits as the socket does."""
        reader: Reader = cls._received(sock)
        return reader

    def _read_to(self, h: ctypes.c_size_t, array: Any, timeout: Optional[float]) -> int:
        """What bstream_read says; the chunk's size is in the first word."""
        size = len(array)
        rc: int = _AGAIN if size > _BIG else _read(self._arg, array, size, self._at, _DONT_WAIT)
        if rc == _AGAIN and (timeout != 0 or size > _BIG):
            rc = self._wait(h, timeout, patient.read, ctypes.addressof(array), size, self._out.first)
        return rc

    def read(self, timeout: Optional[float] = None) -> Optional[bytes]:
        """The next chunk; None at the end of the stream. (b"" is an empty chunk.)"""
        h = self._h
        if h is None:
            raise self._refusal()
        self._h = None
        try:
            if self._lender.spot is not None:
                self._lender.revoke()
            buffer = self._buffer
            if buffer is None:
                buffer = self._buffer = ctypes.create_string_buffer(_BIG)
            rc = self._read_to(h, buffer, timeout)
            while rc == -errno.EMSGSIZE:
                buffer = self._buffer = ctypes.create_string_buffer(self._words[0])
                rc = self._read_to(h, buffer, timeout)
            if rc == 1:
                return ctypes.string_at(buffer, self._words[0])
        finally:
            self._h = h
        if rc < 0:
            raise failure(rc)
        return None

    def readinto(self, buffer: Buffer, timeout: Optional[float] = None) -> Optional[int]:
        """Reads the next chunk into a writable buffer. Its size; None at the end. A chunk that is
        larger than the buffer stays: ChunkSizeError, whose `needed` is its size."""
        with memoryview(buffer) as view:
            size = view.nbytes
            array = (ctypes.c_char * size).from_buffer(buffer)
        h = self._take()
        try:
            if self._lender.spot is not None:
                self._lender.revoke()
            rc = self._read_to(h, array, timeout)
        finally:
            self._h = h
            del array
        if rc == -errno.EMSGSIZE:
            error = failure(rc)
            assert isinstance(error, ChunkSizeError)
            error.needed = self._words[0]
            raise error
        if rc < 0:
            raise failure(rc)
        return self._words[0] if rc == 1 else None

    def peek(self, timeout: Optional[float] = None) -> Optional[memoryview]:
        """The next chunk in place, read-only; None at the end of the stream. release() gives it
        back, and the memoryview ends with it. Until then the chunk comes again at the next peek()
        or read(), also for whoever has the read end by then."""
        h = self._h
        if h is None:
            raise self._refusal()
        self._h = None
        try:
            lender = self._lender
            if lender.spot is not None:
                lender.revoke()
            rc = _peek(self._arg, self._at, self._at2, _DONT_WAIT)
            if rc == _AGAIN and timeout != 0:
                rc = self._wait(h, timeout, patient.peek, self._out.first, self._out.second)
            if rc == 1:
                words = self._words
                return lender.lend(words[0], words[1])
        finally:
            self._h = h
        if rc < 0:
            raise failure(rc)
        return None

    @property
    def lent(self) -> Optional[memoryview]:
        """What peek() or views() gave last, until it is given back."""
        batch = self._lender.batch
        if batch is not None:
            return batch[batch.given() - 1]
        return self._lender.view

    def release(self) -> None:
        """Gives the peeked chunk back to the writers. If a slice, a cast or an array made of its
        memoryview is still there: BufferError, and the chunk stays."""
        h = self._h
        if h is None:
            raise self._refusal()
        self._h = None
        try:
            batch = self._lender.batch
            if batch is not None:
                rc = self._lender.end_batch(batch.stop())
            else:
                self._lender.revoke()
                rc = _release(self._arg)
        finally:
            self._h = h
        if rc < 0:
            raise failure(rc)

    def views(self, timeout: Optional[float] = None, at_once: int = 1) -> Iterator[memoryview]:
        """Each chunk in place, as peek() and release() give it: a memoryview is good until the loop
        goes on to the next. A loop that is left by break or by an exception leaves its chunk to be
        read again, unless it calls release() first. `timeout` is for each chunk.

        With at_once > 1 writers get up to that many chunks back together, which costs less: all that
        were there, once the loop is through them, or when it is left those before its chunk. Their
        memoryviews end then, and slices are found then: BufferError. A writer may wait that long."""
        if at_once < 1:
            raise ValueError(f"at_once must be at least 1, not {at_once!r}")
        if at_once == 1:
            return self._views_each(timeout)
        return Loop.through(self._views_many(timeout, min(at_once, _MANY)))

    def _look(self, h: ctypes.c_size_t, vector: Vector, timeout: Optional[float]) -> int:
        """What bstream_peek_many says."""
        rc: int = _peek_many(self._arg, vector.at, vector.count, _DONT_WAIT)
        if rc == _AGAIN and timeout != 0:
            rc = self._wait(h, timeout, patient.peek_many, vector.place, vector.count)
        return rc

    def _views_each(self, timeout: Optional[float]) -> Iterator[memoryview]:
        lender, spots, arg = self._lender, self._lender.spots, self._arg
        vector = Vector(_AHEAD)
        view: Optional[memoryview] = None
        nothing: Iterator[Any] = iter(())
        ahead = nothing  # chunks that the library showed with the last, and nobody has released
        while True:
            h = self._h
            if h is None:
                raise self._refusal()
            self._h = None
            try:
                spot = lender.spot
                if spot is None:  # the first, or the loop's body released
                    ahead = nothing
                else:
                    lent = lender.view
                    if lent is not view or lent is None:
                        lender.revoke()  # the loop's body peeked, or failed to release
                        ahead = nothing
                    else:
                        lent.release()
                        lender.view = None
                        if getrefcount(spot.base) != spot.idle:
                            raise lender.in_use()
                        lender.spot = None
                        rc = _release(arg)
                        if rc < 0:
                            raise failure(rc)
                pair = next(ahead, None)
                if pair is None:
                    rc = self._look(h, vector, timeout)
                    if rc < 1:
                        break
                    ahead = pairs_of(vector.raw[: 16 * rc])
                    pair = next(ahead)
                address, size = pair
                spot = spots.get(address)
                if spot is None or spot.size < size:
                    spot = lender.remember(address, size)
                view = memoryview(spot.buffer)
                if size != spot.size:
                    view = view[:size]
                lender.spot = spot
                lender.view = view
            finally:
                self._h = h
            yield view
        if rc < 0:
            raise failure(rc)

    def _views_many(
        self, timeout: Optional[float], at_once: int
    ) -> Generator[Any, None, None]:
        lender, arg, vector = self._lender, self._arg, Vector(at_once)
        at, raw, count = vector.at, vector.raw, ready(at_once)
        batch: Optional[Batch] = None
        while True:
            h = self._h
            if h is None:
                raise self._refusal()
            self._h = None
            try:
                rc = 0
                if batch is not None and lender.batch is batch:
                    rc = lender.end_batch(len(batch))
                elif lender.spot is not None:
                    lender.revoke()
                if rc == 0:
                    rc = _peek_many(arg, at, count, _DONT_WAIT)
                    if rc == _AGAIN and timeout != 0:
                        call, place = patient.peek_many, vector.place
                        rc = self._wait(h, timeout, call, place, at_once)
                if rc < 1:
                    break
                pairs = raw.tobytes() if rc == at_once else vector.pairs(rc)
                batch = lender.lend_batch(pairs, vector)
            finally:
                self._h = h
            try:
                yield batch.left
            except GeneratorExit:
                self._leave(batch)
                raise
        if rc < 0:
            raise failure(rc)

    def _leave(self, batch: Batch) -> None:
        """The loop was left: what it is done with goes back, now or when its slices have gone."""
        h = self._h
        if h is None or self._lender.batch is not batch:
            return
        self._h = None
        try:
            self._lender.revoke()
        except BufferError:
            pass
        finally:
            self._h = h

    def park(self) -> None:
        """Gives the read end of a named stream back to its name, where the next Reader finds it,
        with every chunk not yet released."""
        self._give(patient.reader_park)

    def close(self) -> None:
        """Closes the read end; writers get BrokenPipeError, but for a stream with keep="reader",
        whose read end goes back to its name. Again is fine."""
        if not self.closed:
            self._give(lambda h: now.reader_close(h) or 0)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        from .aio import chunks

        return chunks(self)

    def __next__(self) -> bytes:
        chunk = self.read()
        if chunk is None:
            raise StopIteration
        return chunk

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._let_go()
