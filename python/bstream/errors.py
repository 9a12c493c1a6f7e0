# SPDX-License-Identifier: MIT
"""What can go wrong. Every failed call raises an OSError whose errno is the library's; where Python
has a class for that errno it is of that class:

    BlockingIOError         EAGAIN        it would have had to wait, with timeout=0
    TimeoutError            ETIMEDOUT     the timeout has passed
    BrokenPipeError         EPIPE         the reader is gone
    FileExistsError         EEXIST        the name is taken
    FileNotFoundError       ENOENT        there is no such name
    PermissionError         EACCES        not permitted
    ConnectionRefusedError  ECONNREFUSED  no broker, and none could be started
    OSError                               EDQUOT, EINVAL, EMFILE, ENOMEM, ENOSPC, …

and for those that Python has no name for, one of the classes here. Wrong use of Python objects is
what it is elsewhere: ValueError for a closed end, BufferError for a memoryview still in use,
RuntimeError for an end that another thread is using.
"""

from __future__ import annotations

import errno
import os
from typing import Optional

__all__ = [
    "WriterDiedError",
    "EndedError",
    "ChunkSizeError",
    "StaleError",
    "BusyError",
    "ProtocolError",
]


class WriterDiedError(ConnectionResetError):
    """ECONNRESET: the end, but a writer died without closing: the data may be cut short."""


class EndedError(BrokenPipeError):
    """ESHUTDOWN: the stream has ended, and takes no new writer."""


class ChunkSizeError(OSError):
    """EMSGSIZE: a chunk or note is too large; `needed` is its size where the call knows it."""

    needed: Optional[int] = None


class StaleError(OSError):
    """ESTALE: the end belongs to the parent of this process: fork does not hand ends down."""


class BusyError(OSError):
    """EBUSY: the read end is held by another process, or a reservation is open."""


class ProtocolError(OSError):
    """EPROTO: the segment is corrupt, or what came is not such an end."""


_CLASSES: dict[int, type[OSError]] = {
    errno.ECONNRESET: WriterDiedError,
    errno.ESHUTDOWN: EndedError,
    errno.EMSGSIZE: ChunkSizeError,
    errno.ESTALE: StaleError,
    errno.EBUSY: BusyError,
    errno.EPROTO: ProtocolError,
}

_SAYS = {
    errno.ECONNRESET: "A writer died without closing: the data may be cut short",
    errno.EPIPE: "The reader is gone",
    errno.ESHUTDOWN: "The stream has ended",
    errno.EMSGSIZE: "The chunk is too large",
    errno.ESTALE: "The end belongs to the parent of this process",
    errno.ECONNREFUSED: "No broker, and none could be started",
}


def failure(rc: int, name: Optional[str] = None, says: Optional[str] = None) -> OSError:
    """The exception for a negative result. `name` is shown as a file's name is."""
    number = -rc
    text = says or _SAYS.get(number) or os.strerror(number)
    cls = _CLASSES.get(number, OSError)
    return cls(number, text) if name is None else cls(number, text, name)


def reset(number: int) -> OSError:
    """As failure(), for a socket: there ECONNRESET is no writer's death."""
    return OSError(number, os.strerror(number)) if number == errno.ECONNRESET else failure(-number)
