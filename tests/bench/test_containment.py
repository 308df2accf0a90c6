"""No estimator, however hostile, spoils a sweep: each file in `hostile/` misbehaves in one way."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import psutil
import pytest

from bench.store import Store

HOSTILE = Path(__file__).parent / "hostile"
ROOT = Path(__file__).parents[2]
TIMEOUT_S, MEMORY_GIB = 10, 1  # two hang that long; all others have to end within it, whatever else the machine does
SWEEP = """
title = "Hostile plugins"
quantity = "score_matching"
estimators = ["fd_ssm"]
grid = { model = "mlp", data = "digits", dim = 8, depth = 1, width = 8, batch = 8 }
measure = { draws = 16 }
"""
SAME_WHATEVER_ELSE_RAN = ("peak_step_bytes", "peak_value_bytes", "flops_step", "grad_bias", "grad_std", "value_bias")


def _run(store: Path, sweep: Path, plugins: list[Path], mark: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", "run", str(sweep), "--store", str(store), "--no-predict"]
    command += ["--timeout", str(TIMEOUT_S), "--memory-limit", str(MEMORY_GIB)]
    command += [word for plugin in plugins for word in ("--plugin", str(plugin))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CONTAINMENT_MARK": mark}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


def _alive(mark: str) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("CONTAINMENT_MARK") == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid}: {' '.join(process.cmdline())[:80]}")
        except psutil.Error:
            continue
    return found


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """One run over every hostile plugin at once, beside an honest one and a built-in."""
    folder = tmp_path_factory.mktemp("containment")
    sweep, store, mark = folder / "sweep.toml", folder / "store.sqlite", uuid.uuid4().hex
    sweep.write_text(SWEEP)
    finished = _run(store, sweep, sorted(HOSTILE.glob("*.py")), mark)
    assert finished.returncode == 0, finished.stderr
    with Store(store) as opened:
        rows = {row["estimator"]: row for row in opened.rows()}
    return rows, _alive(mark), finished


def _expected(plugin: Path) -> tuple[str, str]:
    namespace: dict = {}
    line = next(line for line in plugin.read_text().splitlines() if line.startswith("EXPECTED"))
    exec(line, namespace)
    return namespace["EXPECTED"]


@pytest.mark.parametrize("plugin", sorted(HOSTILE.glob("*.py")), ids=lambda path: path.stem)
def test_each_way_of_misbehaving_has_its_outcome(ran, plugin):
    rows, _, _ = ran
    row = rows[plugin.stem]
    outcome, reason = _expected(plugin)
    assert (row["outcome"], reason in row["reason"]) == (outcome, True), (row["outcome"], row["reason"], row["output"])


def test_honest_rows_are_complete(ran):
    rows, _, _ = ran
    for name in ("honest", "fd_ssm"):
        assert rows[name]["outcome"] == "ok"
        assert rows[name]["time_step_s"] > 0
        assert rows[name]["peak_step_bytes"] > 0


def test_no_process_survives(ran):
    _, alive, _ = ran
    assert alive == []


def test_output_is_kept_and_shortened(ran):
    rows, _, _ = ran
    printed = rows["prints_without_end"]["output"]
    assert "bytes left out" in printed
    assert len(printed) < 20_000
    assert "RuntimeError: nothing works" in rows["raises"]["output"]


def test_the_row_says_how_limits_are_kept(ran):
    rows, _, _ = ran
    limits = rows["honest"]["extra"]
    limits = json.loads(limits)["limits"] if isinstance(limits, str) else limits["limits"]
    assert f"{TIMEOUT_S} s" in limits
    assert f"{MEMORY_GIB} GiB" in limits


def test_an_honest_row_measures_the_same_as_if_nobody_had_misbehaved(ran, tmp_path):
    rows, _, _ = ran
    sweep, store = tmp_path / "sweep.toml", tmp_path / "store.sqlite"
    sweep.write_text(SWEEP)
    assert _run(store, sweep, [HOSTILE / "honest.py"], uuid.uuid4().hex).returncode == 0
    with Store(store) as opened:
        alone = {row["estimator"]: row for row in opened.rows()}
    for name in ("honest", "fd_ssm"):
        for column in SAME_WHATEVER_ELSE_RAN:
            assert rows[name][column] == alone[name][column], (name, column)
