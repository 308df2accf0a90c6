"""One timing at a time on a machine: runs that know nothing of each other take turns."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

LOCK = Path(tempfile.gettempdir()) / "estimator-bench-timing.lock"


@contextlib.contextmanager
def turn(path: Path = LOCK, shared: bool = False) -> Iterator[bool]:
    """Hold the machine for timing until the block ends; says whether it is held.

    ``shared`` holds it for work that is not timed: with others of its kind, never beside a timing.

    The kernel lets go of the lock when its holder dies. Where the file cannot be opened (another user's), nothing is
    held and timing goes on: a run must not fail for a courtesy.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield True
    finally:
        os.close(descriptor)
