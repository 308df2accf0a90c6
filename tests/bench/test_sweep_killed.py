"""A run killed at any moment: nothing finished is lost, nothing is doubled, and the same command goes on."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bench import runner, sweep
from bench.store import Store

ROOT = Path(__file__).parents[2]
TEXT = """\
title = "Small"
quantity = "score_matching"
estimators = ["sm_exact", { name = "ssm", probes = [1, 2] }, "dsm"]
grid = { dim = 4, depth = 1, width = 8, batch = 8, data = "gaussian" }
measure.draws = 16
"""


def start(folder: Path) -> subprocess.Popen:
    command = [
        sys.executable,
        "-m",
        "bench",
        "run",
        str(folder / "sweep.toml"),
        "--store",
        str(folder / "bench.sqlite"),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen(
        [*command, "--no-predict"], cwd=ROOT, env=environment, text=True, start_new_session=True, **quiet
    )


def finished(folder: Path) -> dict[str, tuple]:
    try:
        with sqlite3.connect(f"file:{folder / 'bench.sqlite'}?mode=ro", uri=True) as raw:
            rows = raw.execute("SELECT key, started_at, time_step_s FROM rows WHERE finished = 1").fetchall()
    except sqlite3.OperationalError:  # it has not made its tables yet
        return {}
    return {row[0]: row for row in rows}


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_as_an_undisturbed_one(tmp_path):
    (tmp_path / "sweep.toml").write_text(TEXT)
    expected = {runner.key_of(point) for point in sweep.load(tmp_path / "sweep.toml").points()}
    moment, before = random.Random(1), {}
    for _ in range(2):
        process = start(tmp_path)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:  # let it write something new, then a little more
            time.sleep(0.05)
            if len(finished(tmp_path)) > len(before):
                time.sleep(moment.uniform(0.0, 0.8))
                break
        family = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
        process.send_signal(signal.SIGKILL)
        process.communicate()
        now = finished(tmp_path)
        assert before.items() <= now.items()  # every row that was finished is there, as it was
        before = now
        gone = time.monotonic() + 10
        while any(psutil.pid_exists(pid) for pid in family) and time.monotonic() < gone:
            time.sleep(0.05)
        assert not [pid for pid in family if psutil.pid_exists(pid)]  # and no process survives its coordinator
    assert before
    process = start(tmp_path)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    with Store(tmp_path / "bench.sqlite") as store:
        assert store.recovered is None
        assert store.finished_keys() == expected and len(store) == len(expected)
        assert dict(store.outcomes()) == {"ok": len(expected)}
        assert len(store.runs()) >= 2
    assert before.items() <= finished(tmp_path).items()
    with sqlite3.connect(tmp_path / "bench.sqlite") as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
