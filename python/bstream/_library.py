# SPDX-License-Identifier: MIT
"""Owns the shared library: finds it, checks that it is one this module can use, and says which
types its functions take. Nobody else calls ctypes.CDLL.

Each function is there twice. `now` keeps the interpreter's lock (GIL) during the call: for calls
that do not wait. It is cheaper, and while the lock is held no other thread can be in the same
handle. `patient` gives it up: for calls that may wait. The few that are called for each chunk are there
once more, see bare().

A handle is passed as a number of type c_size_t and not as c_void_p, because None must not become
NULL: ctypes refuses it with ArgumentError before anything is called. A handle that is closed, or in
use by another thread, is None (see _ends.py), so no call needs a check of its own.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, Structure, c_char, c_char_p, c_int, c_int32, c_int64, c_size_t
from ctypes import c_uint32, c_uint64, c_void_p
from types import SimpleNamespace
from typing import Any, Optional

SONAME = "libbstream.so.0"
MAJOR, MINOR = 0, 1  # of the library: this MAJOR, and at least this MINOR

FOREVER = 2**64 - 1
DONT_WAIT = 0
NAME_MAX = 200


class Options(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("capacity", c_uint32),
        ("chunk_max", c_uint32),
        ("max_writers", c_uint32),
        ("keep", c_uint32),
        ("mode", c_uint32),
        ("flags", c_uint32),
        ("gid", c_uint32),
    ]


class MailboxOptions(Structure):
    _fields_ = [("size", c_size_t), ("mode", c_uint32), ("gid", c_uint32)]


class Stat(Structure):
    _fields_ = (
        [("size", c_size_t), ("name", c_char * (NAME_MAX + 1))]
        + [
            (field, c_uint32)
            for field in "capacity chunk_max max_writers keep mode uid gid in_flight writers "
            "reader flags".split()
        ]
        + [("reader_pid", c_int32), ("writer_pid", c_int32)]
        + [
            (field, c_uint64)
            for field in "chunks_written chunks_read chunks_abandoned bytes_written bytes_read "
            "writer_waits reader_waits created_ns".split()
        ]
    )


class Message(Structure):
    _fields_ = [
        ("note", c_void_p),
        ("len", c_size_t),
        ("reader", c_size_t),
        ("pid", c_int32),
        ("uid", c_uint32),
    ]


class End(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("kind", c_uint32),
        ("pid", c_int32),
        ("uid", c_uint32),
        ("waits_for", c_uint32),
        ("waits_since_ns", c_uint64),
        ("chunks", c_uint64),
        ("bytes", c_uint64),
    ]


class BrokerStat(Structure):
    _fields_ = (
        [("size", c_size_t), ("pid", c_int32)]
        + [
            (field, c_uint32)
            for field in "uid wire_version layout_version streams clients max_streams "
            "max_clients".split()
        ]
        + [("bytes", c_uint64), ("uptime_ns", c_uint64)]
        + [("mailboxes", c_uint32), ("max_mailboxes", c_uint32)]
    )


EACH_STAT = ctypes.CFUNCTYPE(c_int, POINTER(Stat), c_void_p)
EACH_END = ctypes.CFUNCTYPE(c_int, POINTER(End), c_void_p)

_HANDLE = c_size_t
_OUT = c_size_t  # the address of an out-parameter
_PROTOTYPES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "pair": (c_int, (POINTER(Options), _OUT, _OUT)),
    "create": (c_int, (c_char_p, POINTER(Options))),
    "open_writer": (c_int, (c_char_p, c_uint64, _OUT)),
    "open_reader": (c_int, (c_char_p, c_uint64, _OUT)),
    "remove": (c_int, (c_char_p,)),
    "eof": (c_int, (c_char_p,)),
    "wait": (c_int, (c_char_p, c_uint32, c_uint64)),
    "stat": (c_int, (c_char_p, POINTER(Stat))),
    "list": (c_int, (EACH_STAT, c_void_p)),
    "write": (c_int, (_HANDLE, c_char_p, c_size_t, c_uint64)),
    "write_many": (c_int, (_HANDLE, _OUT, c_int, c_uint64)),
    "reserve": (c_int, (_HANDLE, c_size_t, _OUT, c_uint64)),
    "commit": (c_int, (_HANDLE, c_size_t)),
    "commit_reserve": (c_int, (_HANDLE, c_size_t, _OUT)),
    "reserve_many": (c_int, (_HANDLE, c_size_t, _OUT, c_int, c_uint64)),
    "commit_many": (c_int, (_HANDLE, _OUT, c_int)),
    "cancel": (None, (_HANDLE,)),
    "writer_clone": (c_int, (_HANDLE, _OUT)),
    "drain": (c_int, (_HANDLE, c_uint64)),
    "writer_close": (None, (_HANDLE,)),
    "read": (c_int, (_HANDLE, _OUT, c_size_t, _OUT, c_uint64)),
    "peek": (c_int, (_HANDLE, _OUT, _OUT, c_uint64)),
    "release": (c_int, (_HANDLE,)),
    "peek_many": (c_int, (_HANDLE, _OUT, c_int, c_uint64)),
    "release_many": (c_int, (_HANDLE, c_int)),
    "reader_park": (c_int, (_HANDLE,)),
    "reader_close": (None, (_HANDLE,)),
    "writer_detach": (c_int, (_HANDLE,)),
    "reader_detach": (c_int, (_HANDLE,)),
    "writer_attach": (c_int, (c_int, _OUT)),
    "reader_attach": (c_int, (c_int, _OUT)),
    "writer_send": (c_int, (c_int, _HANDLE)),
    "reader_send": (c_int, (c_int, _HANDLE)),
    "writer_recv": (c_int, (c_int, _OUT)),
    "reader_recv": (c_int, (c_int, _OUT)),
    "reader_pollfd": (c_int, (_HANDLE,)),
    "writer_pollfd": (c_int, (_HANDLE,)),
    "mailbox_open_with": (c_int, (c_char_p, POINTER(MailboxOptions), _OUT)),
    "mailbox_recv": (c_int, (_HANDLE, POINTER(Message), c_uint64)),
    "mailbox_pollfd": (c_int, (_HANDLE,)),
    "mailbox_close": (None, (_HANDLE,)),
    "send": (c_int, (c_char_p, c_char_p, c_size_t, _HANDLE, c_uint64)),
    "connect": (c_int, (c_char_p, c_char_p, c_size_t, POINTER(Options), c_uint64, _OUT)),
    "broker_use": (c_int, (c_char_p, c_uint32)),
    "broker_stat": (c_int, (POINTER(BrokerStat),)),
    "broker_start": (c_int, ()),
    "broker_stop": (c_int, ()),
    "view_open": (c_int, (c_char_p, _OUT)),
    "view_ends": (c_int, (c_size_t, EACH_END, c_void_p)),
    "view_close": (None, (c_size_t,)),
    "writer_stat": (c_int, (_HANDLE, POINTER(Stat))),
    "reader_stat": (c_int, (_HANDLE, POINTER(Stat))),
    "writer_describe": (c_int, (_HANDLE, c_char_p, c_size_t)),
    "reader_describe": (c_int, (_HANDLE, c_char_p, c_size_t)),
    "version": (c_char_p, ()),
}


def _candidates() -> list[str]:
    """Where to look: $BSTREAM_LIBRARY alone, or where make install put it, and the loader's path."""
    asked_for = os.environ.get("BSTREAM_LIBRARY")
    if asked_for:
        return [asked_for]
    try:
        from ._where import LIBDIR  # type: ignore[import]
    except ImportError:  # run from the source tree
        return [SONAME]
    installed = os.path.join(LIBDIR, SONAME)
    if os.path.isabs(installed) and os.path.exists(installed):
        return [installed, SONAME]
    return [SONAME]


def _load() -> tuple[str, ctypes.CDLL]:
    why: Optional[OSError] = None
    for path in _candidates():
        try:
            return path, ctypes.CDLL(path)
        except OSError as error:
            why = why or error
    raise ImportError(
        f"bstream: the shared library cannot be loaded: {why} (install libbstream0, run ldconfig "
        "after make install, or set BSTREAM_LIBRARY to the file)"
    )


def _check(path: str, library: ctypes.CDLL) -> str:
    """The library's version, if it is one that this module can use."""
    try:
        function = library.bstream_version
    except AttributeError:
        raise ImportError(f"bstream: {path} is not libbstream: it has no bstream_version") from None
    function.restype = c_char_p
    version = (function() or b"").decode("ascii", "replace")
    try:
        major, minor = (int(part) for part in version.split(".")[:2])
    except ValueError:
        raise ImportError(f"bstream: {path} says its version is {version!r}") from None
    if major != MAJOR or minor < MINOR:
        raise ImportError(
            f"bstream: {path} is version {version}; this module needs {MAJOR}.{MINOR} or a later "
            f"{MAJOR}.x"
        )
    return version


def _bind(path: str, library: ctypes.CDLL, version: str) -> SimpleNamespace:
    bound = SimpleNamespace()
    for name, (result, arguments) in _PROTOTYPES.items():
        try:
            function = library["bstream_" + name]
        except AttributeError:
            raise ImportError(
                f"bstream: {path}, version {version}, has no bstream_{name}: it is older than this "
                "module"
            ) from None
        function.restype = result
        function.argtypes = arguments
        setattr(bound, name, function)
    return bound


def bare(name: str) -> Any:
    """A function that keeps the GIL and converts no argument: half the cost of a call is that. Only for
    what is called for each chunk, and only with ready(), ctypes instances, bytes, and numbers that fit an int:
    nothing else is checked, None becomes NULL, and a larger number loses its upper half."""
    function: Any = _now["bstream_" + name]
    function.restype = c_int
    return function


def ready(number: int) -> Any:
    """A number of 64 bits as an argument that is not converted again."""
    return c_size_t.from_param(number)


path, _patient = _load()
_now = ctypes.PyDLL(path)
version = _check(path, _patient)
now: Any = _bind(path, _now, version)
patient: Any = _bind(path, _patient, version)
