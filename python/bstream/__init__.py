# SPDX-License-Identifier: MIT
"""bstream - byte streams between processes, over shared memory.

    import bstream

    bstream.create("logs")
    with bstream.open("logs", "w") as writer:       # here
        writer.write(b"a chunk")

    with bstream.open("logs") as reader:            # there
        for chunk in reader:
            print(chunk)

A stream is a bounded FIFO of chunks: many writers, one reader. A writer that finds it full waits
for the reader. A reader learns at the end whether every writer closed, or one died
(WriterDiedError).

Timeouts are in seconds; None waits for ever, 0 does not wait (BlockingIOError). Ctrl-C ends a wait.
Failed calls raise OSError with the library's errno, of the classes in bstream.errors. An end is
used by one thread at a time: clone() a Writer for each. A forked child does not get its parent's
ends (StaleError there): give it one by detach() and attach(), or by send() and recv(). For asyncio
there is bstream.aio.

This module needs the shared library libbstream.so.0; BSTREAM_LIBRARY names another file. The manual
is doc/python.md, and bstream(7).
"""

import os as _os

from . import _deadline, _lend, _library
from ._ends import Reader, Writer
from ._mailbox import Mailbox, Message, connect, send
from ._names import (
    broker_start,
    broker_stat,
    broker_stop,
    broker_use,
    create,
    ends,
    eof,
    open,
    pair,
    remove,
    stat,
    wait,
)
from ._names import list_streams as list
from ._stat import BrokerStat, End, Stat
from .errors import (
    BusyError,
    ChunkSizeError,
    EndedError,
    ProtocolError,
    StaleError,
    WriterDiedError,
)

__all__ = [
    "BrokerStat",
    "BusyError",
    "ChunkSizeError",
    "End",
    "EndedError",
    "Mailbox",
    "Message",
    "ProtocolError",
    "Reader",
    "StaleError",
    "Stat",
    "Writer",
    "WriterDiedError",
    "broker_start",
    "broker_stat",
    "broker_stop",
    "broker_use",
    "connect",
    "create",
    "ends",
    "eof",
    "list",
    "open",
    "pair",
    "remove",
    "send",
    "stat",
    "version",
    "wait",
]

version = _library.version  # of the shared library

_os.register_at_fork(after_in_child=_lend.after_fork)
_os.register_at_fork(after_in_child=_deadline.after_fork)
