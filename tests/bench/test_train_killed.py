"""A training run whose coordinator, or whose worker, is killed goes on from its last evaluation to the same bits."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from bench.__main__ import main
from bench.store import Store

ROOT = Path(__file__).parents[2]
MARKS = 20
SWEEP = f"""
quantity = "score_matching"
estimators = ["ssm"]
grid = {{ model = "mlp", data = "gaussian", dim = 3, depth = 1, width = 8, batch = 16, seed = 1 }}
measure = {{ draws = 16 }}
train = {{ steps = 400, marks = {MARKS}, rows = 64, held_out = 32 }}
"""
TIMED = ("train_s", "key", "extra")  # seconds are new after a kill


def command(path: Path, store: Path) -> list[str]:
    return ["train", str(path), "--store", str(store)]


def places(store: Path) -> int:
    """How many evaluations are in the store, which may not be there yet."""
    if not store.exists():
        return 0
    with Store(store) as opened:
        return sum(1 for _ in opened.training_points())


def whole(store: Path) -> tuple[dict, list[dict], dict[str, np.ndarray]]:
    """The one run, its evaluations without seconds, and its last state without them."""
    with Store(store) as opened:
        (run,) = opened.training_runs()
        points = list(opened.training_points(run["key"]))
        place, bundle = opened.training_state(run["key"])
    assert [point["place"] for point in points] == list(range(MARKS + 1)) and place == MARKS
    with np.load(io.BytesIO(bundle), allow_pickle=False) as kept:
        arrays = {name: kept[name] for name in kept.files if name != "train_s"}
    return run, [{k: v for k, v in point.items() if k not in TIMED} for point in points], arrays


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    path = tmp_path_factory.mktemp("training") / "sweep.toml"
    path.write_text(SWEEP)
    assert main(command(path, path.with_name("whole.sqlite"))) == 0
    return path, whole(path.with_name("whole.sqlite"))


@pytest.mark.parametrize("victim", ["coordinator", "worker"])
def test_sigkill_in_the_middle_and_on_to_the_same_bits(victim, undisturbed, tmp_path):
    path, (_, points, arrays) = undisturbed
    store = tmp_path / "killed.sqlite"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", *command(path, store)], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
    )
    coordinator, deadline = psutil.Process(process.pid), time.monotonic() + 120
    while places(store) < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
    family = coordinator.children(recursive=True)
    grandchildren = [child for child in family if child.ppid() != coordinator.pid]  # the worker, and a spare one
    worker = max(grandchildren, key=lambda child: sum(child.cpu_times()[:2]))
    (coordinator if victim == "coordinator" else worker).kill()
    assert process.wait(timeout=60) == (-9 if victim == "coordinator" else 0)
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive
    seen = places(store)
    assert 3 <= seen <= MARKS  # in the middle
    with Store(store) as opened:
        (run,) = opened.training_runs()
    assert run["outcome"] == (None if victim == "coordinator" else "crashed")

    retry = [] if victim == "coordinator" else ["--retry", "crashed"]
    with Store(store) as opened:
        before = list(opened.training_points())
    assert main([*command(path, store), *retry]) == 0
    run, points_again, arrays_again = whole(store)
    assert run["outcome"] == "ok" and points_again == points
    with Store(store) as opened:
        assert list(opened.training_points())[:seen] == before  # none was made twice
    assert set(arrays_again) == set(arrays)
    assert all(np.array_equal(arrays_again[name], arrays[name]) for name in arrays)
    if victim == "worker":
        assert run["extra"] == {"interruptions": ["crashed: killed by SIGKILL"]}
