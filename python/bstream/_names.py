# SPDX-License-Identifier: MIT
"""Pairs, named streams, and the broker that keeps the names."""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Any, Callable, Literal, Optional, Union, overload

from . import _deadline, _library, _stat
from ._ends import Handles, Reader, Writer, name_of
from ._library import now, patient
from .errors import failure

Name = Union[str, bytes]
Keep = Optional[Literal["reader", "writers", "both"]]
What = Literal["exists", "reader", "writer", "empty", "end", "mailbox"]

_WHAT = {"exists": 1, "reader": 2, "writer": 3, "empty": 4, "end": 5, "mailbox": 6}
_SYSTEM, _NO_START = 0x1, 0x2


def check_words(*words: int) -> None:
    """What does not fit into 32 bits is as wrong as what the library refuses."""
    for word in words:
        if not 0 <= word < 2**32:
            raise failure(-errno.EINVAL)


def options_of(
    capacity: int,
    chunk_max: int,
    max_writers: int,
    keep: Keep,
    mode: int,
    sealed: bool,
    fences: bool,
    gid: int = 0,
) -> Any:
    """struct bstream_options, by reference."""
    try:
        kept = _stat.KEEP[keep]
    except KeyError:
        raise ValueError(
            f"keep must be None, 'reader', 'writers' or 'both', not {keep!r}"
        ) from None
    check_words(capacity, chunk_max, max_writers, mode, gid)
    flags = (_stat.SEALED if sealed else 0) | (_stat.FENCES if fences else 0)
    options = _library.Options(0, capacity, chunk_max, max_writers, kept, mode, flags, gid)
    options.size = ctypes.sizeof(options)
    return ctypes.byref(options)


def pair(
    *,
    capacity: int = 16,
    chunk_max: int = 65536,
    max_writers: int = 64,
    sealed: bool = False,
    fences: bool = False,
) -> tuple[Writer, Reader]:
    """A stream without a name, and without the broker: both its ends."""
    options = options_of(capacity, chunk_max, max_writers, None, 0o600, sealed, fences)
    out = Handles()
    rc = patient.pair(options, out.first, out.second)
    if rc < 0:
        raise failure(rc)
    writer: Writer = Writer._of(out.words[0])
    reader: Reader = Reader._of(out.words[1])
    return writer, reader


def create(
    name: Name,
    *,
    capacity: int = 16,
    chunk_max: int = 65536,
    max_writers: int = 64,
    keep: Keep = None,
    mode: int = 0o600,
    sealed: bool = False,
    fences: bool = False,
    gid: int = 0,
) -> None:
    """Makes a named stream of `capacity` chunks of at most `chunk_max` bytes. Its read end waits at
    the name: writers may write before any reader comes. keep="reader": a read end that is left goes
    back to the name; keep="writers": no end before eof() or remove(). Of a machine's broker
    `mode` tells, as a file's does, who may read and write, and `gid` its group, one of yours; 0 is your
    own. FileExistsError; PermissionError: not a group of yours."""
    options = options_of(capacity, chunk_max, max_writers, keep, mode, sealed, fences, gid)
    rc = patient.create(name_of(name), options)
    if rc < 0:
        raise failure(rc, os.fsdecode(name))


@overload
def open(name: Name, mode: Literal["r"] = "r", timeout: Optional[float] = None) -> Reader: ...


@overload
def open(name: Name, mode: Literal["w"], timeout: Optional[float] = None) -> Writer: ...


def open(name: Name, mode: str = "r", timeout: Optional[float] = None) -> Union[Reader, Writer]:
    """Opens the read end ("r") or a write end ("w") of a named stream; waits for the name to exist,
    or with timeout=0 raises FileNotFoundError. BusyError: another process has the read end."""
    if mode == "r":
        return Reader(name, timeout)
    if mode == "w":
        return Writer(name, timeout)
    raise ValueError(f"mode must be 'r' or 'w', not {mode!r}")


def remove(name: Name) -> None:
    """Removes the name, at once. Open ends work on."""
    rc = patient.remove(name_of(name))
    if rc < 0:
        raise failure(rc, os.fsdecode(name))


def eof(name: Name) -> None:
    """Gives up the kept write end of a stream with keep="writers": it can end."""
    rc = patient.eof(name_of(name))
    if rc < 0:
        raise failure(rc, os.fsdecode(name))


def wait(name: Name, what: What, timeout: Optional[float] = None) -> None:
    """Waits for something to be true of a name: that it "exists"; that a "reader" or a "writer" has
    it open; that every chunk was released ("empty"); that it came to its "end"; that a "mailbox"
    of that name is open."""
    number = _WHAT.get(what)
    if number is None:
        raise ValueError(f"what must be one of {', '.join(_WHAT)}, not {what!r}")
    rc = _deadline.until(_deadline.at(timeout), patient.wait, name_of(name), number)
    if rc < 0:
        raise failure(rc, os.fsdecode(name))


def stat(name: Name) -> _stat.Stat:
    """The state of a named stream."""
    out = _stat.c_stat()
    rc = patient.stat(name_of(name), ctypes.byref(out))
    if rc < 0:
        raise failure(rc, os.fsdecode(name))
    return _stat.stat_of(out)


def _collect(make: Callable[[Any], Any], kind: Any, call: Callable[[Any], int]) -> list[Any]:
    """What the library shows one by one, as a list. call(each) runs it."""
    found: list[Any] = []

    def each(item: Any, _: Any) -> int:
        found.append(make(item.contents))
        return 0

    rc = call(kind(each))
    if rc < 0:
        raise failure(rc)
    return found


def list_streams() -> list[_stat.Stat]:
    """The state of every named stream, in the order of their names."""
    return _collect(_stat.stat_of, _library.EACH_STAT, lambda each: int(patient.list(each, None)))


def ends(name: Name) -> list[_stat.End]:
    """Every open end of a named stream: who, and what it waits for. Disturbs nobody."""
    out = Handles()
    rc = patient.view_open(name_of(name), out.first)
    if rc < 0:
        raise failure(rc, os.fsdecode(name))
    view = out.words[0]
    try:
        return _collect(
            _stat.end_of, _library.EACH_END, lambda each: int(patient.view_ends(view, each, None))
        )
    finally:
        now.view_close(view)


# ---- the broker ----------------------------------------------------------------------------------


def broker_use(socket: Optional[Name] = None, *, system: bool = False, start: bool = True) -> None:
    """Which broker to ask, for the whole process: the one at `socket`; the machine's (system=True);
    the user's. start=False: do not start one."""
    path = None if socket is None else os.fsencode(socket)
    rc = now.broker_use(path, (_SYSTEM if system else 0) | (0 if start else _NO_START))
    if rc < 0:
        raise failure(rc)


def broker_stat() -> _stat.BrokerStat:
    """How the broker is. Never starts one: ConnectionRefusedError."""
    out = _library.BrokerStat()
    out.size = ctypes.sizeof(out)
    rc = patient.broker_stat(ctypes.byref(out))
    if rc < 0:
        raise failure(rc)
    return _stat.broker_stat_of(out)


def broker_start() -> bool:
    """Starts the user's broker; False if one was running already."""
    rc = patient.broker_start()
    if rc < 0:
        raise failure(rc)
    return bool(rc == 0)


def broker_stop() -> None:
    """Stops the broker, and returns when it has gone. Streams stay for the next."""
    rc = patient.broker_stop()
    if rc < 0:
        raise failure(rc)
