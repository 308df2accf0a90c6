"""The C library's heap while calls are timed: freed memory stays with the process.

glibc hands large freed blocks back to the kernel, by rules that depend on what was allocated before, and every step
then pays for fresh pages: a forward Laplacian (D = 64, batch 64, width 128) faults on 1330 pages a step, 5 MiB that the
kernel clears, and takes 8.4 ms where 6.5 ms suffice. Which of two equal workers pays more is chance: the median ratios
of such pairs scattered by 5.7 %, and by 1.0 % with the memory kept. Caching allocators, CUDA's among them, keep it
anyway.
"""

from __future__ import annotations

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = (
    -1,
    -3,
)  # the names of mallopt(3) for free memory handed back and for blocks of their own
KEPT_BYTES = 2**31 - 1
OWN_BLOCK_BYTES = 2**30  # from here on a block is the kernel's: clearing it is little beside computing on it


def can_keep() -> bool:
    """Whether this C library can be told to keep memory: glibc can, musl cannot."""
    return sys.platform.startswith("linux") and hasattr(ctypes.CDLL(None), "mallopt")


def keep_freed_memory() -> bool:
    """Have malloc keep what is freed, for the rest of this process; returns whether it does.

    Only for processes whose memory was measured before: later peaks of resident memory hold what was freed.
    """
    if not can_keep():
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(MMAP_THRESHOLD, OWN_BLOCK_BYTES)) and bool(mallopt(TRIM_THRESHOLD, KEPT_BYTES))
