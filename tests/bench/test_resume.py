"""A run killed at any moment goes on where it was: no row lost, none twice, no process left."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import pytest

from bench.store import Store

ROOT = Path(__file__).parents[2]
SWEEP = """
title = "To be interrupted"
quantity = "score_matching"
estimators = ["ssm", "fd_ssm", "dsm"]
grid = { model = "mlp", data = "digits", dim = [4, 8], depth = 1, width = 8, batch = 8 }
measure = { draws = 16 }
"""
KILLS = 3
COMMITS = 12  # each of the six points is committed before and after it is timed, the last three together


def _command(sweep: Path, store: Path) -> list[str]:
    return [sys.executable, "-m", "bench", "run", str(sweep), "--store", str(store), "--no-predict"]


def _start(sweep: Path, store: Path, mark: str) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "RESUME_MARK": mark}
    return subprocess.Popen(
        _command(sweep, store),
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background ignore it
    )


def _marked(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("RESUME_MARK") == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def _gone(mark: str, within_s: float = 10.0) -> bool:
    deadline = time.monotonic() + within_s
    while _marked(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not _marked(mark)


def _commits(store: Path) -> int:
    """How many commits of rows lie behind a store, seen from outside."""
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
            return connection.execute("SELECT coalesce(sum(1 + finished), 0) FROM rows").fetchone()[0]
    except sqlite3.Error:
        return 0  # there is none yet


def _wait_for_commits(store: Path, count: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while _commits(store) < count and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    assert process.poll() is None, "the run ended before it could be disturbed"


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    path = tmp_path_factory.mktemp("resume") / "sweep.toml"
    path.write_text(SWEEP)
    return path


@pytest.fixture(scope="module")
def undisturbed(sweep):
    store = sweep.with_name("undisturbed.sqlite")
    process = _start(sweep, store, "undisturbed")
    assert process.wait(timeout=200) == 0, process.stderr.read()
    with Store(store) as opened:
        return {row["key"]: row["outcome"] for row in opened.rows(finished_only=True)}


@pytest.mark.parametrize("whole_tree", [False, True], ids=["the coordinator", "the whole tree"])
def test_kill_9_at_random_moments_then_resume(sweep, undisturbed, whole_tree, tmp_path):
    """Moments are told by what is committed, so that each kill meets a run under way, however slow the machine is."""
    keys = undisturbed
    store, mark = tmp_path / "killed.sqlite", uuid.uuid4().hex
    chance = random.Random(20_261)
    finished: list[int] = []
    for after in sorted(chance.sample(range(COMMITS - 3), KILLS)):
        process = _start(sweep, store, mark)
        _wait_for_commits(store, after, process)
        time.sleep(chance.uniform(0.0, 0.05))
        victims = _marked(mark) if whole_tree else [psutil.Process(process.pid)]
        for victim in victims:
            try:
                victim.kill()
            except psutil.NoSuchProcess:
                continue
        assert process.wait(timeout=60) == -signal.SIGKILL
        process.stderr.close()
        assert _gone(mark), _marked(mark)
        if store.exists():
            with Store(store) as opened:
                finished.append(len(opened.finished_keys()))
    assert finished == sorted(finished)  # nothing that was measured is measured again, or lost
    process = _start(sweep, store, mark)
    assert process.wait(timeout=200) == 0, process.stderr.read()
    with Store(store) as opened:
        rows = list(opened.rows())
    assert {row["key"]: row["outcome"] for row in rows} == keys
    assert len(rows) == len(keys)
    assert all(row["time_step_s"] > 0 for row in rows)
    with sqlite3.connect(store) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(sweep, undisturbed, tmp_path):
    mark = uuid.uuid4().hex
    process = _start(sweep, tmp_path / "stopped.sqlite", mark)
    _wait_for_commits(tmp_path / "stopped.sqlite", COMMITS // 2, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "goes on from here" in errors
    assert "Traceback" not in errors
    assert _gone(mark)


def test_two_runs_on_one_store_at_once_end_with_each_row_once(sweep, undisturbed, tmp_path):
    keys = undisturbed
    store, mark = tmp_path / "shared.sqlite", uuid.uuid4().hex
    both = [_start(sweep, store, mark) for _ in range(2)]
    for process in both:
        assert process.wait(timeout=300) == 0, process.stderr.read()
    with Store(store) as opened:
        rows = list(opened.rows())
    assert sorted(row["key"] for row in rows) == sorted(keys)
    assert {row["outcome"] for row in rows} == {"ok"}


def test_a_second_run_measures_nothing(sweep, undisturbed):
    store = sweep.with_name("undisturbed.sqlite")
    before = store.read_bytes()
    process = _start(sweep, store, "again")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "0 points to measure, 6 are in" in errors
    assert store.read_bytes() == before
