# SPDX-License-Identifier: MIT
"""Timeouts of Python (seconds; None: for ever; 0: do not wait) and deadlines of the library.

A signal does not end a wait of the library, and Python runs signal handlers in the main thread only
between two of its own instructions. So the main thread waits in slices, and Ctrl-C is heard within
one; other threads wait in one piece.
"""

from __future__ import annotations

import errno
import math
import threading
import time
from typing import Any, Callable, Optional

from ._library import DONT_WAIT, FOREVER

_SLICE_NS = 200_000_000
_main_ident = threading.main_thread().ident


def after_fork() -> None:
    """The thread that forked is the child's main thread."""
    global _main_ident
    _main_ident = threading.get_ident()


def at(timeout: Optional[float]) -> int:
    """The deadline for a timeout that begins now."""
    if timeout is None or timeout == math.inf:
        return FOREVER
    if timeout == 0:
        return DONT_WAIT
    if not timeout > 0:
        raise ValueError(f"timeout must be None or at least 0, not {timeout!r}")
    deadline = time.monotonic_ns() + int(timeout * 1e9)
    return min(deadline, FOREVER)


def slice_end(deadline: int) -> int:
    """How long to wait before a look at the signals."""
    if threading.get_ident() != _main_ident:
        return deadline
    return min(deadline, time.monotonic_ns() + _SLICE_NS)


def until(
    deadline: int, call: Callable[..., Any], *before: Any, behind: tuple[Any, ...] = ()
) -> int:
    """call(*before, DEADLINE, *behind), in slices if need be."""
    while True:
        end = slice_end(deadline)
        rc: int = call(*before, end, *behind)
        if rc != -errno.ETIMEDOUT or end >= deadline:
            return rc
