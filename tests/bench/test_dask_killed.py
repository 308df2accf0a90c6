"""The coordinator is killed amid a run: what it had taken before it sent the next unit is on disk; nobody is left."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bench import runner
from bench.cluster.landing import Landing
from bench.store import Store, StoreError
from tests.bench.test_dask_unlike import CHEAP

KILLED = """
import os, signal, sys
import psutil
from bench import runner
from bench.cluster import coordinator
from bench.cluster.connect import connected
from bench.cluster.crew import Crew
from bench.cluster.settings import Settings
from bench.store import Store
from tests.bench.test_dask_unlike import CHEAP

with Store(sys.argv[1]) as store, connected("local:1") as client:
    crew = Crew(client, Settings(60.0, predict=False, timed=False), frozenset({"cpu"}))
    crew.assemble()
    sent, submit = [], client.submit

    def third_time_killed(*args, **options):
        if len(sent) == 2:
            print(*(child.pid for child in psutil.Process().children(recursive=True)), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        sent.append(args)
        return submit(*args, **options)

    client.submit = third_time_killed
    coordinator.run(runner.plan(CHEAP, [], store), store, crew)
"""


def test_rows_are_on_disk_before_their_worker_gets_another_unit(tmp_path):
    path = tmp_path / "bench.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == -9
    left = [int(pid) for pid in done.stdout.split()]
    assert len(left) >= 3  # the Dask worker, its foreman, the fork-server
    deadline = time.monotonic() + 30
    while any(map(psutil.pid_exists, left)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(psutil.pid_exists, left))
    with Store(path) as store:
        plan = runner.plan(CHEAP, [], store)
        assert len(plan.solo_done) == 4 and len({plan.todo[name].problem for name in plan.solo_done}) == 2


def test_a_row_that_the_store_refuses_costs_no_other_row(tmp_path):
    told = []
    with Store(tmp_path / "bench.sqlite") as store:
        landing = Landing(runner.Plan(), store, runner.Watcher(on_row=told.append))
        landing.add({"key": "a", "outcome": "ok"})
        landing.add({"key": "b", "outcome": "ok", "no_such_column": 1})
        landing.add({"key": "c", "outcome": "ok"}, finished=False)
        with pytest.raises(StoreError, match="no_such_column"):
            landing.commit()
        landing.commit()
        assert not told and {row["key"]: bool(row["finished"]) for row in store.rows()} == {"a": True, "c": False}
        landing.add({"key": "c", "outcome": "ok"})
        landing.commit()
        assert [row["key"] for row in told] == ["c"] and landing.outcomes == {"ok": 1}
