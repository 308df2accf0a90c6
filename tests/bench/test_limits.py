"""Families of processes: found, weighed and ended."""

import subprocess
import sys

import psutil
import pytest

from bench.process import limits

CHILD = "import subprocess, sys, time; b = bytearray({size}); {then}; print('up', flush=True); time.sleep(60)"


@pytest.fixture
def three():
    """A process, its child in a session of its own, and the child's child, which holds 40 MB."""
    inner = CHILD.format(size=40_000_000, then="pass")
    middle = CHILD.format(size=1, then=f"p = subprocess.Popen([sys.executable, '-c', {inner!r}])")
    outer = CHILD.format(
        size=1, then=f"p = subprocess.Popen([sys.executable, '-c', {middle!r}], start_new_session=True)"
    )
    with subprocess.Popen([sys.executable, "-c", outer], stdout=subprocess.PIPE, start_new_session=True) as process:
        for _ in range(3):
            assert process.stdout.readline() == b"up\n"
        yield process
        process.kill()


def test_a_family_is_all_descendants_parents_first(three):
    expected = [three.pid, *(child.pid for child in psutil.Process(three.pid).children(recursive=True))]
    assert len(expected) == 3
    assert limits.family(three.pid) == expected


def test_a_family_weighs_its_shares_unless_all_that_is_resident_is_little(three):
    shares = limits.family_memory_bytes(three.pid)
    resident = sum(psutil.Process(pid).memory_info().rss for pid in limits.family(three.pid))
    assert 40_000_000 < shares < resident
    assert limits.family_memory_bytes(three.pid, enough_bytes=2**40) == pytest.approx(resident, rel=0.01)
    assert limits.family_memory_bytes(three.pid, enough_bytes=shares // 2) == pytest.approx(shares, rel=0.01)


def test_a_whole_family_is_killed(three):
    members = [psutil.Process(pid) for pid in limits.family(three.pid)]
    limits.kill_family(three.pid)
    three.wait(timeout=10)
    _, alive = psutil.wait_procs(members, timeout=10)
    assert not alive


def test_nobody_has_no_family():
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    assert limits.family(gone.pid) == []
    assert limits.family_memory_bytes(gone.pid) == 0
    limits.kill_family(gone.pid)  # no error
