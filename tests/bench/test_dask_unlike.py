"""Two unlike machines on a real Dask scheduler: the second one's psutil counts 64 cores, all else is as it is."""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import estimators
from bench import runner
from bench.cluster.connect import connected
from bench.cluster.crew import Crew
from bench.cluster.settings import Settings
from bench.forecast.budget import Budget
from bench.point import Point, ProblemSpec
from bench.store import Store

ROOT = Path(__file__).parents[2]
OTHER_PROCESSOR = """
import psutil
psutil.cpu_count = lambda logical=True: 64
"""


def point(name: str, dim: int, **facts) -> Point:
    spec = ProblemSpec(data="gaussian", dim=dim, depth=1, width=8, batch=8)
    one = estimators.get(name)
    return Point(name, "score_matching", spec, 2, dict(one.options), draws=16, target=one.target, **facts)


CHEAP = [point(name, dim) for dim in (4, 6, 8) for name in ("ssm", "fd_ssm")]
DEAR = replace(point("ssm", 12), draws=10**9)


class Overrun(Budget):
    """Time is up between the coordinator's look and the worker's."""

    left_s = 0.0

    def allows(self, nominal_s: float) -> bool:
        return True


@pytest.fixture
def crew(tmp_path):
    """A slot of this machine, and a worker whose processor has 64 cores."""
    (tmp_path / "sitecustomize.py").write_text(OTHER_PROCESSOR)
    with connected("local:1") as client:
        command = [sys.executable, "-m", "distributed.cli.dask_worker", client.scheduler.address, "--no-nanny"]
        other = subprocess.Popen(
            [*command, "--no-dashboard", "--nthreads=1", "--resources=timing=1", f"--local-directory={tmp_path}"],
            env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            client.wait_for_workers(2, timeout=60)
            crew = Crew(client, Settings(60.0, predict=False), frozenset({"cpu"}))
            assert crew.assemble() == []
            yield crew
            crew.dismiss()
        finally:
            other.kill()
            other.wait()


def test_rows_of_unlike_machines_stay_apart_and_a_budget_leaves_out_what_is_dear(crew, tmp_path):
    from bench.cluster import coordinator

    kinds = {machine: kind for kind, machine in crew.kinds["cpu"].items()}
    assert len(kinds) == 2 and sum(", 64 cores" in kind for kind in kinds.values()) == 1

    def plan(points, classes=crew.classes):
        return runner.plan(points, [], store, classes=classes)

    with Store(tmp_path / "bench.sqlite") as store:
        assert not coordinator.run(plan(CHEAP), store, crew, budget=Budget(0.0)) and not list(store.rows())
        assert not coordinator.run(plan(CHEAP), store, crew, budget=Overrun()) and not list(store.rows())
        assert len(crew.members) == 2  # a worker that had no time for its unit did nothing wrong
        outcomes = coordinator.run(plan([*CHEAP, DEAR]), store, crew, budget=Budget(24 * 3600.0))
        rows = list(store.rows())
        assert outcomes == Counter(ok=len(CHEAP)) == Counter(row["outcome"] for row in rows)
        assert list(plan([*CHEAP, DEAR]).todo.values()) == [DEAR]

        assert {row["machine"] for row in rows} == set(kinds)  # both took part
        names = {(p.estimator, p.problem.dim): p for p in CHEAP}
        windows: dict[str, set[str]] = {}
        for row in rows:
            assert row["key"] == runner.key_of(names[row["estimator"], row["dim"]], kinds[row["machine"]])
            assert row["time_ratio"] > 0
            windows.setdefault(row["round_group"], set()).add(row["machine"])
        assert all(len(machines) == 1 for machines in windows.values())

        for machine, kind in kinds.items():  # with the workers of one class alone, what the other measured is missing
            missing = plan(CHEAP, lambda device, kind=kind: [kind]).todo.values()
            there = {(row["estimator"], row["dim"]) for row in rows if row["machine"] == machine}
            assert {(p.estimator, p.problem.dim) for p in missing} == set(names) - there

        begun_here, begun_elsewhere = point("ssm", 20), point("fd_ssm", 20)
        pattern = next(row for row in rows if row["estimator"] == "ssm")
        for machine, kind in kinds.items():
            untimed = {name: value for name, value in pattern.items() if not name.startswith(("time_", "finished"))}
            for one, where in ((begun_here, machine), (begun_elsewhere, json.dumps({"of the same": "class"}))):
                identity = {"estimator": one.estimator, "dim": 20, "key": runner.key_of(one, kind), "machine": where}
                store.put({**untimed, **identity, "grad_cosine": 0.125}, finished=False)
        assert coordinator.run(plan([begun_here, begun_elsewhere]), store, crew) == Counter(ok=2)
        ended = [row for row in store.rows() if row["dim"] == 20 and row["finished"]]
        taken_up, anew = sorted(ended, key=lambda row: row["estimator"] != "ssm")
        assert taken_up["grad_cosine"] == 0.125 and anew["grad_cosine"] != 0.125
        assert taken_up["machine"] == anew["machine"] in kinds and taken_up["time_step_s"] > 0
