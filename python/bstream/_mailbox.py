# SPDX-License-Identifier: MIT
"""Mailboxes: names at which one process receives messages, each a note and perhaps a read end."""

from __future__ import annotations

import ctypes
import os
from types import TracebackType
from typing import Any, Iterator, NamedTuple, Optional

from . import _deadline, _library
from ._ends import Buffer, Handles, Reader, Writer, name_of
from ._lend import Hold, warn_forgotten
from ._library import now, patient
from ._names import Name, check_words, options_of
from .errors import failure


class Message(NamedTuple):
    """What was received. The reader, if there is one, is yours to close."""

    note: bytes
    reader: Optional[Reader]
    pid: int  # who sent it, by the kernel's word
    uid: int


class Mailbox:
    """`Mailbox("jobs")` opens a mailbox; close() frees its name. Messages that were not received
    are thrown away then, and the writers of their streams get BrokenPipeError. At a machine's broker
    `mode` says who may send, as a stream's says who may write, and `gid` is its group, one of yours; 0 is
    your own."""

    __slots__ = ("name", "_h", "_hold", "__weakref__")

    def __init__(self, name: Name, *, mode: int = 0o600, gid: int = 0) -> None:
        self.name = os.fsdecode(name)
        self._h: Optional[int] = None
        self._hold: Optional[Hold] = None
        check_words(mode, gid)
        options = _library.MailboxOptions(0, mode, gid)
        options.size = ctypes.sizeof(options)
        out = Handles()
        rc = patient.mailbox_open_with(name_of(name), ctypes.byref(options), out.first)
        if rc < 0:
            raise failure(rc, self.name)
        self._hold = Hold(out.words[0], patient.mailbox_close)
        self._h = out.words[0]

    def _take(self) -> int:
        """As for ends (_ends.py): who is in the mailbox has the handle."""
        h = self._h
        if h is None:
            if self._hold is None:
                raise ValueError("operation on a closed Mailbox")
            raise RuntimeError(
                "this Mailbox is in use: by another thread, or below a signal handler"
            )
        self._h = None
        return h

    @property
    def closed(self) -> bool:
        """Whether the mailbox was closed."""
        return self._hold is None

    def recv(self, timeout: Optional[float] = None) -> Message:
        """The next message."""
        message = _library.Message()
        at = ctypes.byref(message)
        h = self._take()
        try:
            rc = _deadline.until(_deadline.at(timeout), patient.mailbox_recv, h, at)
            if rc == 0:
                reader = Reader._of(message.reader) if message.reader else None
                note = ctypes.string_at(message.note, message.len) if message.len else b""
                return Message(note, reader, message.pid, message.uid)
        finally:
            self._h = h
        raise failure(rc, self.name)

    def fileno(self) -> int:
        """A descriptor for select, selectors and asyncio: readable while a message is there. The
        mailbox's own: neither to be closed nor read."""
        h = self._take()
        try:
            rc: int = patient.mailbox_pollfd(h)
        finally:
            self._h = h
        if rc < 0:
            raise failure(rc, self.name)
        return rc

    def close(self) -> None:
        """Closes the mailbox. Again is fine."""
        if self._hold is not None:
            h, hold = self._take(), self._hold
            self._hold = None
            hold.take()
            patient.mailbox_close(h)

    def __iter__(self) -> Iterator[Message]:
        return self

    def __next__(self) -> Message:
        return self.recv()

    def __enter__(self) -> Mailbox:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Mailbox({self.name}, {'closed' if self.closed else 'open'})"

    def __reduce__(self) -> Any:
        raise TypeError("a Mailbox cannot be pickled")

    def __del__(self) -> None:
        warn_forgotten(self, getattr(self, "_hold", None))


def send(
    mailbox: Name,
    note: Buffer = b"",
    reader: Optional[Reader] = None,
    timeout: Optional[float] = None,
) -> None:
    """Sends a note to a mailbox, and with it, perhaps, a read end, which is the receiver's then,
    with the chunks in flight. Waits while the mailbox is full. FileNotFoundError: nobody is there."""
    name, deadline, text = name_of(mailbox), _deadline.at(timeout), memoryview(note).tobytes()

    def call(handle: int) -> int:
        return _deadline.until(deadline, patient.send, name, text, len(text), handle)

    if reader is not None:
        reader._give(call)
        return
    rc = call(0)
    if rc < 0:
        raise failure(rc, os.fsdecode(mailbox))


def connect(
    mailbox: Name,
    note: Buffer = b"",
    timeout: Optional[float] = None,
    *,
    capacity: int = 16,
    chunk_max: int = 65536,
    max_writers: int = 64,
    sealed: bool = False,
    fences: bool = False,
) -> Writer:
    """Opens a stream to whoever owns a mailbox: makes a pair, and sends its read end there."""
    options = options_of(capacity, chunk_max, max_writers, None, 0o600, sealed, fences)
    out, text = Handles(), memoryview(note).tobytes()
    rc = _deadline.until(
        _deadline.at(timeout),
        patient.connect,
        name_of(mailbox),
        text,
        len(text),
        options,
        behind=(out.first,),
    )
    if rc < 0:
        raise failure(rc, os.fsdecode(mailbox))
    writer: Writer = Writer._of(out.words[0])
    return writer
