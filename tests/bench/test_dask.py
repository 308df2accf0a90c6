"""A sweep on a real Dask scheduler: workers are killed amid points, one has other code, a plugin travels."""

import os
import shutil
import subprocess
import sys
from collections import Counter, deque
from pathlib import Path

import pytest
from click.testing import CliRunner

import estimators
from bench import key, machine, runner, sweep
from bench.cluster import connect, parcel, slots
from bench.cluster.crew import Member
from bench.cluster.flights import Charged, Flight, Waiting
from bench.point import Point, ProblemSpec
from bench.store import Store
from bench.verbs.run import run

ROOT = Path(__file__).parents[2]
SWEEP = """
quantity = "score_matching"
estimators = ["ssm", "kills_once", "kills_always"]
grid = { model = "mlp", data = "gaussian", dim = [4, 6], depth = 1, width = 8, batch = 8 }
measure.draws = 16
[[skip]]
when = { estimator = ["kills_once", "kills_always"], dim = 6 }
reason = "once is enough"
"""
PLUGIN = """
import os, pathlib, signal, time
import psutil
import estimators

def kill_the_dask_worker():
    fork_server, foreman, dask_worker = psutil.Process().parents()[:3]
    os.kill(dask_worker.pid, signal.SIGKILL)
    time.sleep(60)

@estimators.register("kills_once", quantity="score_matching")
def kills_once(f, x):
    flag = pathlib.Path({flag!r})
    if not flag.exists():
        flag.touch()
        kill_the_dask_worker()
    return estimators.get("sm_exact")(f, x)

@estimators.register("kills_always", quantity="score_matching")
def kills_always(f, x):
    kill_the_dask_worker()
"""


def worker_of_other_code(folder: Path, address: str) -> subprocess.Popen:
    """A Dask worker whose `estimators` differ by a comment."""
    for package in ("bench", "estimators"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "estimators" / "cost.py").open("a") as file:
        file.write("# another\n")
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny", "--no-dashboard"]
    return subprocess.Popen(
        [*command, "--nthreads=1", "--resources=timing=1", f"--local-directory={folder}"],
        env={**os.environ, "PYTHONPATH": str(folder)},
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
def points(tmp_path, monkeypatch):
    """The points and skips of the sweep with the plugin, which is unregistered again."""
    monkeypatch.setattr(estimators.registry, "_estimators", dict(estimators.registry._estimators))
    (tmp_path / "sweep.toml").write_text(SWEEP)
    (tmp_path / "killers.py").write_text(PLUGIN.format(flag=str(tmp_path / "flag")))
    loaded = sweep.load(tmp_path / "sweep.toml")
    return loaded.points(tmp_path / "killers.py"), loaded.skips


def test_workers_killed_amid_points_cost_no_row(points, tmp_path):
    from bench.cluster import coordinator
    from bench.cluster.crew import Crew
    from bench.cluster.settings import Settings

    notes: list[str] = []
    with Store(tmp_path / "bench.sqlite") as store, connect.connected("local:2") as client:
        stranger = worker_of_other_code(tmp_path / "other", client.scheduler.address)
        try:
            client.wait_for_workers(3, timeout=60)
            crew = Crew(client, Settings(60.0, predict=False, plugins=[str(tmp_path / "killers.py")]), {"cpu"})
            refused = crew.assemble()
            plan = runner.plan(*points, store, classes=crew.classes)
            outcomes = coordinator.run(plan, store, crew, runner.Watcher(on_note=notes.append))
            pinned = client.run(os.sched_getaffinity, 0, workers=list(crew.members))  # some were started anew
        finally:
            stranger.kill()
            stranger.wait()
        rows = list(store.rows())
        assert not runner.plan(*points, store, classes=crew.classes).todo
    assert (
        len(refused) == 1 and "estimators is " in refused[0] and " there and " in refused[0] and " here" in refused[0]
    )
    assert sorted((r["estimator"], r["dim"], r["outcome"]) for r in rows) == [
        ("kills_always", 4, "crashed"),
        ("kills_always", 6, "skipped"),
        ("kills_once", 4, "ok"),
        ("kills_once", 6, "skipped"),
        ("ssm", 4, "ok"),
        ("ssm", 6, "ok"),
    ]
    assert outcomes == Counter(ok=3, skipped=2, crashed=1)
    assert pinned and all(sorted(cores) in map(sorted, slots.shares(2)) for cores in pinned.values())
    assert len({row["key"] for row in rows}) == 6 and all(row["finished"] for row in rows)
    assert sum("is lost" in note for note in notes) == 3 == len(notes), notes
    for row in rows:
        assert row["key"] in {runner.key_of(point) for point in [*points[0], *(p for p, _ in points[1])]}
        assert row["estimator_source"] == key.estimator_source(row["estimator"])
        assert machine.cpu_model() in row["machine"]
        assert (row["time_step_s"] or 0) > 0 or row["outcome"] != "ok"
    crashed = next(row["reason"] for row in rows if row["outcome"] == "crashed")
    assert crashed.count("tcp://127.0.0.1:") == 2 and crashed.count("the worker is gone") == 2


WORKER = Member("tcp://a:1", {"cpu": "one"}, "{}", cores=1)


def flight(*names: str, deaths: int = 0) -> Flight:
    spec = ProblemSpec()
    points = {name: Charged(Point(name, "laplacian", spec), ["before"] * deaths) for name in names}
    return Flight(1, "tcp://a:1", points, 0.0)


def in_line(waiting: Waiting) -> list[str]:
    found = []
    while (unit := waiting.take(WORKER)) is not None:
        found.append("".join(one.point.estimator for one in unit))
    return found


def test_only_what_was_under_way_is_charged_and_measured_alone():
    lost = flight(*"abcdef")
    lost.began([0, 1])
    lost.landed("a", last=True)
    lost.landed("b", last=False)
    lost.began([2, 3])
    waiting = Waiting(deque([[Charged(Point("z", "laplacian", ProblemSpec()))]]))
    assert waiting.lost(lost, "gone") == []
    assert in_line(waiting) == ["bef", "z", "c", "d"]  # the suspects last


def test_a_second_death_is_given_up_and_so_is_a_unit_that_dies_twice_before_its_points_begin():
    alone = flight("a", deaths=1)
    alone.began([0])
    waiting = Waiting(deque())
    assert [name for name, _ in waiting.lost(alone, "gone")] == ["a"] and not waiting
    whole = flight("a", "b")
    assert waiting.lost(whole, "gone") == [] and len(waiting) == 1
    again = Flight(2, "tcp://b:1", whole.points, 0.0)
    waiting.take(WORKER)
    assert [name for name, _ in waiting.lost(again, "gone")] == ["a", "b"] and not waiting


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_slots_have_equal_parts_of_the_cores_with_whole_physical_cores_in_one(count, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3, 4, 5, 6, 7})
    monkeypatch.setattr(slots, "_place", lambda core: (0, core % 4, core))  # core and core + 4 are threads of one
    parts = slots.shares(count)
    assert {len(part) for part in parts} == {8 // count} and len(set().union(*parts)) == 8 // count * count
    if count == 2:
        assert [{core % 4 for core in part} for part in parts] == [{0, 1}, {2, 3}]
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3})
    assert slots.shares(count) == [[3]] * count


def test_units_go_to_workers_that_have_their_device_and_cores():
    gpu, wide, cpu = (
        Charged(Point("a", "laplacian", ProblemSpec(), device=device, threads=threads))
        for device, threads in (("cuda", 1), ("cpu", 2), ("cpu", 1))
    )
    waiting = Waiting(deque([[gpu], [wide], [cpu]]))
    assert waiting.take(WORKER) == [cpu] and waiting.take(WORKER) is None and not waiting.suits(WORKER)
    both = Member("tcp://b:1", {"cpu": "one", "cuda": "one"}, "{}", cores=2)
    assert waiting.suits(both) and waiting.take(both) == [gpu] and waiting.take(both) == [wide]


def test_plugins_arrive_as_they_were_sent_or_not_at_all(tmp_path):
    (tmp_path / "mine.py").write_text("import beside\n")
    (tmp_path / "beside.py").write_text("# \N{GREEK SMALL LETTER THETA}\n")
    (tmp_path / "unused.py").write_text("")
    packed = parcel.pack(str(tmp_path / "mine.py"))
    [path] = parcel.unpack([packed], tmp_path / "there")
    arrived = {file.name: file.read_bytes() for file in Path(path).parent.iterdir()}
    assert Path(path).name == "mine.py"
    assert arrived == {name: (tmp_path / name).read_bytes() for name in ("mine.py", "beside.py")}
    packed["files"]["mine.py"]["base64"] = "AAAA"
    with pytest.raises(ValueError, match=r"mine.py has SHA-256 .* and was sent as"):
        parcel.unpack([packed], tmp_path / "again")
    packed["files"] = {"../mine.py": packed["files"]["beside.py"]}
    with pytest.raises(ValueError, match="outside"):
        parcel.unpack([packed], tmp_path / "again")


def test_a_point_measured_on_another_connected_class_is_there(points, tmp_path):
    both = lambda device: ("one machine", "another")  # noqa: E731
    with Store(tmp_path / "bench.sqlite") as store:
        names = [runner.key_of(point, "another") for point in points[0]]
        store.put({"key": names[0], "outcome": "ok"})
        store.put({"key": names[1], "outcome": "ok"}, finished=False)
        plan = runner.plan(*points, store, classes=both)
        assert plan.present == 1 and len(plan) == len(points[0]) - 1
        assert list(plan.solo_done) == [names[1]]
        assert runner.plan(*points, store, classes=lambda device: ("one machine",)).present == 0
        retried = runner.plan(*points, store, ("ok",), classes=both)
        assert len(retried) == len(points[0]) and retried.retried == {names[0]}


@pytest.mark.parametrize("address", ["local:0", "local:two", "somewhere", "http://a:1", "tcp://"])
def test_what_is_no_address_is_refused(address):
    said = CliRunner().invoke(run, ["smoke", f"--dask={address}"])
    assert said.exit_code == 2 and "an address is local:N, HOST:PORT" in said.output and repr(address) in said.output


def test_an_address_where_nobody_answers_is_one_line(tmp_path, monkeypatch, capsys):
    from bench.__main__ import main

    monkeypatch.setattr(connect, "CONNECT_WITHIN_S", 1)
    assert main(["run", "smoke", "--dask", "127.0.0.1:9", "--store", str(tmp_path / "bench.sqlite")]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: no Dask scheduler answers at 127.0.0.1:9")
