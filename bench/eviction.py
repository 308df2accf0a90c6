"""Keeping the cache below its size: what was used longest ago goes first.

An entry's time of use is its file's modification time, which every reading sets anew. What was used in the last
minutes stays whatever the size, so that no run loses what it is about to read; a file that goes while another process
reads it stays readable for that process. One process at a time clears, under a lock on the folder.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from bench import sizes

LIMIT_VARIABLE = "ESTIMATOR_BENCH_CACHE_LIMIT"
DEFAULT_LIMIT = "10GiB"
IN_USE_S = 900.0
KINDS = (".npy", ".npz")
ABANDONED_S = 3600.0
"""From then on a half-written file is one whose process was killed."""


class CacheError(ValueError):
    """The cache cannot be kept as it is asked for; one line."""


class Entry(NamedTuple):
    """A file of the cache, half-written ones among them."""

    path: Path
    size_bytes: int
    used_at: float


def limit_bytes() -> float:
    """What the cache may hold: ESTIMATOR_BENCH_CACHE_LIMIT, for example ``2GiB``, or 10 GiB.

    Raises:
        CacheError: the variable does not say.
    """
    try:
        return sizes.read(os.environ.get(LIMIT_VARIABLE) or DEFAULT_LIMIT, sizes.BYTES, "20GiB")
    except ValueError as error:
        raise CacheError(f"{LIMIT_VARIABLE} {error}") from None


def entries(folder: Path) -> list[Entry]:
    """Every file of the cache."""
    found = []
    for path in folder.glob("*/*"):
        with suppress(OSError):  # another process took it away
            if path.suffix in KINDS:
                seen = path.stat()
                found.append(Entry(path, seen.st_size, seen.st_mtime))
    return found


def used(path: Path) -> None:
    """Mark an entry as used now."""
    with suppress(OSError):
        os.utime(path)


def clear(folder: Path) -> None:
    """Take entries away until the rest fits, in the order of their last use."""
    limit = limit_bytes()
    with _lock(folder):
        every = sorted(entries(folder), key=lambda entry: entry.used_at)
        held, now = sum(entry.size_bytes for entry in every), time.time()
        for entry in every:
            stays_s = ABANDONED_S if entry.path.name.startswith(".") else IN_USE_S
            if held <= limit or entry.used_at > now - stays_s:
                continue
            with suppress(OSError):
                entry.path.unlink()
                held -= entry.size_bytes


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    with open(folder / ".clearing", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
