# SPDX-License-Identifier: MIT
"""What can be seen of streams, ends and the broker, as Python has it."""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple, Optional

from . import _library

KEEP = {None: 0, "reader": 1, "writers": 2, "both": 3}
READER = ("none", "parked", "open")
KINDS = {1: "reader", 2: "writer"}
WAITS = (None, "items", "room", "drain")

SEALED, FENCES = 0x1, 0x2
ENDED, BROKEN, LOST_WRITER, REMOVED = 0x100, 0x200, 0x400, 0x800


class Stat(NamedTuple):
    """The state of one stream, as struct bstream_stat has it. Counters are read one by one from a
    living stream, so they may be a few chunks apart."""

    name: str  # "" for a pair
    capacity: int
    chunk_max: int
    max_writers: int
    keep: Optional[str]  # "reader", "writers", "both"
    mode: int
    uid: int
    gid: int
    in_flight: int  # chunks
    writers: int
    reader: str  # "none": it is gone; "parked": it waits at its name; "open"
    flags: int
    reader_pid: int  # 0: none, or not known
    writer_pid: int
    chunks_written: int
    chunks_read: int
    chunks_abandoned: int
    bytes_written: int
    bytes_read: int
    writer_waits: int  # times a side slept
    reader_waits: int
    created_ns: int  # CLOCK_REALTIME

    @property
    def ended(self) -> bool:
        """No write end is left, and none can come."""
        return bool(self.flags & ENDED)

    @property
    def broken(self) -> bool:
        """The read end is gone: writers get BrokenPipeError."""
        return bool(self.flags & BROKEN)

    @property
    def lost_writer(self) -> bool:
        """A writer died without closing."""
        return bool(self.flags & LOST_WRITER)

    @property
    def removed(self) -> bool:
        """The name has been removed."""
        return bool(self.flags & REMOVED)


class End(NamedTuple):
    """One end of a stream, as ends() shows it."""

    kind: str  # "reader", "writer"
    pid: int  # 0: on its way between two processes
    uid: int
    waits_for: Optional[str]  # "items", "room", "drain"; None: it is not waiting
    waits_since_ns: int  # CLOCK_MONOTONIC; 0 if it is not waiting
    chunks: int  # through this end
    bytes: int


class BrokerStat(NamedTuple):
    """How the broker is, as struct bstream_broker_stat has it."""

    pid: int
    uid: int
    wire_version: int
    layout_version: int
    streams: int  # names held
    clients: int  # connections, this one included
    max_streams: int
    max_clients: int
    bytes: int  # of shared memory
    uptime_ns: int
    mailboxes: int  # open
    max_mailboxes: int


def _word(words: Any, number: int) -> Optional[str]:
    """A word for a number; a later library may have numbers that this module has no word for."""
    try:
        word: Optional[str] = words[number]
        return word
    except (IndexError, KeyError):
        return str(number)


def c_stat() -> _library.Stat:
    stat = _library.Stat()
    stat.size = ctypes.sizeof(stat)
    return stat


def _fields(struct: Any, cls: Any) -> dict[str, Any]:
    return {field: getattr(struct, field) for field in cls._fields}


_KEEP_WORDS = {number: word for word, number in KEEP.items()}


def stat_of(stat: _library.Stat) -> Stat:
    fields = _fields(stat, Stat)
    fields["name"] = stat.name.decode("ascii", "replace")
    fields["keep"] = _word(_KEEP_WORDS, stat.keep)
    fields["reader"] = _word(READER, stat.reader)
    return Stat(**fields)


def end_of(end: _library.End) -> End:
    fields = _fields(end, End)
    fields["kind"] = _word(KINDS, end.kind)
    fields["waits_for"] = _word(WAITS, end.waits_for)
    return End(**fields)


def broker_stat_of(stat: _library.BrokerStat) -> BrokerStat:
    return BrokerStat(**_fields(stat, BrokerStat))
