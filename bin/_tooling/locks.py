"""Locks between processes, which the kernel releases when their holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from .say import say


def take(path: Path, *, shared: bool = False, wait: bool = True) -> int | None:
    """Lock the file and return its descriptor, or None when it is taken and `wait` is off."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(descriptor, how if wait else how | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextlib.contextmanager
def alone(path: Path, what: str) -> Iterator[None]:
    """Let one process at a time do `what`; the others wait and say so."""
    descriptor = take(path, wait=False)
    if descriptor is None:
        say(f"waiting for another run that is busy with {what}")
        descriptor = take(path)
    assert descriptor is not None
    try:
        yield
    finally:
        os.close(descriptor)
