# SPDX-License-Identifier: MIT
"""bstream with asyncio: each function tries without waiting, and where that says EAGAIN lets the
event loop wait for the end's descriptor (fileno()) to become readable.

    async for chunk in reader: ...          # or aio.chunks(reader), aio.views(reader)
    await aio.write(writer, b"chunk")
    message = await aio.recv(mailbox)

One task at a time waits for an end: another gets RuntimeError. For a timeout: asyncio.wait_for(). A
wait that is cancelled has taken nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any, AsyncIterator, Callable, Optional, TypeVar, Union

from ._ends import Buffer, Reader, Writer
from ._mailbox import Mailbox, Message

__all__ = ["chunks", "peek", "read", "ready", "recv", "reserve", "spans", "views", "write"]

_T = TypeVar("_T")
_waited_for: set[tuple[int, int]] = set()  # loops and descriptors


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def ready(end: Union[Reader, Writer, Mailbox]) -> None:
    """Waits until the next call with timeout=0 is worth trying."""
    loop = asyncio.get_running_loop()
    fd = end.fileno()
    mine = (id(loop), fd)
    if mine in _waited_for:
        raise RuntimeError(f"another task waits for {end!r}")
    future: asyncio.Future[None] = loop.create_future()
    _waited_for.add(mine)
    loop.add_reader(fd, _wake, future)
    try:
        await future
    finally:
        loop.remove_reader(fd)
        _waited_for.discard(mine)


async def _patiently(
    end: Union[Reader, Writer, Mailbox], call: Callable[..., _T], *arguments: Any
) -> _T:
    while True:
        try:
            return call(*arguments, timeout=0)
        except BlockingIOError:
            await ready(end)


async def read(reader: Reader) -> Optional[bytes]:
    """As reader.read()."""
    return await _patiently(reader, reader.read)


async def peek(reader: Reader) -> Optional[memoryview]:
    """As reader.peek()."""
    return await _patiently(reader, reader.peek)


async def write(writer: Writer, data: Buffer) -> int:
    """As writer.write()."""
    return await _patiently(writer, writer.write, data)


async def reserve(writer: Writer, size: int) -> memoryview:
    """As writer.reserve()."""
    return await _patiently(writer, writer.reserve, size)


async def spans(writer: Writer, size: int, at_once: int = 1) -> AsyncIterator[memoryview]:
    """As writer.spans(). What a loop that is left had reserved is cancelled when the event loop comes
    round; with contextlib.aclosing() (Python 3.10), at once."""
    while True:
        try:
            for span in writer.spans(size, 0, at_once):
                yield span
        except BlockingIOError:
            await ready(writer)


async def recv(mailbox: Mailbox) -> Message:
    """As mailbox.recv()."""
    return await _patiently(mailbox, mailbox.recv)


async def chunks(reader: Reader) -> AsyncIterator[bytes]:
    """As `for chunk in reader`."""
    while True:
        chunk = await read(reader)
        if chunk is None:
            return
        yield chunk


async def views(reader: Reader) -> AsyncIterator[memoryview]:
    """As reader.views()."""
    while True:
        view = await peek(reader)
        if view is None:
            return
        yield view
        if reader.lent is view:
            del view
            reader.release()
