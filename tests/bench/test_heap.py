"""Freed memory stays with a process that is timed."""

import ctypes
import subprocess
import sys

import pytest

from bench.meters import heap

PROGRAM = """
import ctypes, resource, torch
from bench.meters.heap import MMAP_THRESHOLD, keep_freed_memory
torch.set_num_threads(1)
ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, 2**17)  # glibc's rule at the start: large blocks are handed back at once
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        live = [torch.ones(2**20) for _ in range(12)]  # 48 MiB, 12288 pages
        del live
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 20
faults()
handed_back = faults()
assert keep_freed_memory()
faults()
print(handed_back, faults())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="this C library has no mallopt")
def test_steps_stop_paying_for_fresh_pages():
    # a process of its own: what its heap looks like is not left to the tests before
    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    handed_back, kept = map(float, found.stdout.split())
    assert handed_back >= 12288
    assert kept < 5


def test_a_c_library_without_mallopt_is_left_alone(monkeypatch):
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda name: object())
    assert not heap.keep_freed_memory()
    monkeypatch.setattr(heap.sys, "platform", "darwin")
    assert not heap.keep_freed_memory()
