"""The store under faults: killed writers, a file cut short, a full disk, a lock that stays."""

from __future__ import annotations

import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.store import Store, StoreError

ROOT = Path(__file__).parents[2]
WRITER = """
import sys
from bench.store import Store
with Store(sys.argv[1]) as store:
    print("open", flush=True)
    for n in range(100_000):
        if store.put({"key": f"k{n}", "outcome": "ok", "seed": n, "output": "x" * (n * 37 % 9000)}):
            print(n, flush=True)
"""


def writer(path: Path, **keywords) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True, **keywords
    )


def fill(path: Path, rows: int) -> None:
    with Store(path) as store:
        store.put_many(
            ({"key": f"k{n}", "outcome": "ok", "seed": n, "output": "x" * (n * 37 % 9000)}, True) for n in range(rows)
        )


def check(path: Path) -> None:
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert raw.execute("SELECT count(*) - count(DISTINCT key) FROM rows").fetchone() == (0,)


def test_a_killed_writer_loses_no_row_it_reported(tmp_path):
    path, moment = tmp_path / "bench.sqlite", random.Random(0)
    reported: set[int] = set()
    for _ in range(5):
        process = writer(path)
        assert process.stdout is not None and process.stdout.readline() == "open\n"
        time.sleep(moment.uniform(0.0, 0.15))
        process.send_signal(signal.SIGKILL)
        reported |= {int(line) for line in process.stdout.read().split("\n")[:-1]}
        process.wait()
        with Store(path) as store:
            assert store.recovered is None
            assert {f"k{n}" for n in reported} <= store.finished_keys()
        check(path)
    assert len(reported) > 20


@pytest.mark.parametrize("share", [0.5, 0.1, 0.9])
def test_a_store_cut_short_gives_back_what_is_left(tmp_path, share):
    path, rows = tmp_path / "bench.sqlite", 400
    fill(path, rows)
    os.truncate(path, int(path.stat().st_size * share))
    with Store(path) as store:
        kept = list(store.rows())
        assert store.recovered is not None and f"{len(kept)} rows" in store.recovered and "\n" not in store.recovered
        # Pages are written in order, so about that share of the rows is there, and more without their output.
        assert share * rows * 0.9 <= len(kept) < rows
        assert all(row["key"] == f"k{row['seed']}" and row["finished"] for row in kept)
        whole = [row for row in kept if row["output"] is not None]
        assert all(row["output"] == "x" * (row["seed"] * 37 % 9000) for row in whole)
        assert len(whole) >= share * rows * 0.8
    (aside,) = tmp_path.glob("bench.sqlite.damaged-*")
    assert aside.stat().st_size > 0
    fill(path, rows)  # the run goes on
    with Store(path) as store:
        assert store.recovered is None and len(store) == rows
    check(path)


def test_runs_and_what_was_put_aside_are_saved_too(tmp_path):
    path = tmp_path / "bench.sqlite"
    with Store(path) as store:
        number = store.begin_run("First", "run first")
        store.put({"key": "k0", "outcome": "timeout"})
        store.put({"key": "k0", "outcome": "ok"}, replace=True)
    fill(path, 300)
    os.truncate(path, path.stat().st_size // 2)
    with Store(path) as store:
        assert store.recovered is not None
        assert [run["title"] for run in store.runs()] == ["First"] and store.get("k0")["run"] == number
        assert [row["outcome"] for row in store.replaced()] == ["timeout"]


def test_a_disk_without_room_to_save_a_damaged_store_leaves_it_as_it_is(tmp_path, monkeypatch):
    path = tmp_path / "bench.sqlite"
    fill(path, 300)
    os.truncate(path, path.stat().st_size // 2)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bench.store.salvage.shutil.copyfile", full)
    with pytest.raises(StoreError, match="cannot be copied to save it: No space left on device"):
        Store(path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    with Store(path) as store:  # once there is room, it is saved
        assert store.recovered is not None and len(store) > 10
    assert sorted(p.name.split("-")[0] for p in tmp_path.iterdir()) == ["bench.sqlite", "bench.sqlite.damaged"]


def test_one_process_at_a_time_saves_a_damaged_store(tmp_path):
    path = tmp_path / "bench.sqlite"
    fill(path, 50)
    os.truncate(path, path.stat().st_size // 2)
    mark = tmp_path / "bench.sqlite.recovering"
    mark.write_text(str(os.getpid()))
    with pytest.raises(StoreError, match="another process is saving it"):
        Store(path)
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    mark.write_text(str(done.pid))  # it was killed at it
    with Store(path) as store:
        assert store.recovered is not None
    assert not mark.exists()


def test_a_store_whose_middle_is_overwritten(tmp_path):
    path = tmp_path / "bench.sqlite"
    fill(path, 200)
    size = path.stat().st_size // 4096
    with path.open("r+b") as file:
        file.seek(size // 2 * 4096)
        file.write(b"\xff" * 4096 * 3)
    with Store(path) as store:
        assert 190 <= len(store) <= 200
        assert store.recovered is not None
    check(path)


def test_a_foreign_file_cut_short_is_left_where_it_is(tmp_path):
    path = tmp_path / "foreign.sqlite"
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE t (x)")
        raw.executemany("INSERT INTO t VALUES (?)", [("x" * 1000,)] * 100)
    os.truncate(path, path.stat().st_size // 2)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="give another path"):
        Store(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["foreign.sqlite"]


def test_a_full_database_is_one_line_and_loses_nothing(tmp_path):
    path = tmp_path / "bench.sqlite"
    with Store(path) as store:
        store.put({"key": "before", "outcome": "ok"})
        (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
        store._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StoreError, match="disk is full.*all earlier ones are safe") as caught:
            for n in range(100):
                store.put({"key": f"k{n}", "outcome": "ok", "output": "x" * 4000})
        assert "\n" not in str(caught.value)
        there = store.finished_keys()
        assert "before" in there
        store._connection.execute("PRAGMA max_page_count = 100000")
        assert store.put({"key": "after", "outcome": "ok"})  # the same store goes on once there is room
        assert store.finished_keys() == there | {"after"}
    check(path)


def test_a_file_size_limit_is_one_line_and_loses_nothing(tmp_path):
    path = tmp_path / "bench.sqlite"
    limit = 200 * 1024
    process = writer(
        path, stderr=subprocess.PIPE, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    )
    out, error = process.communicate(timeout=60)
    assert "StoreError: store" in error.splitlines()[-1] and "all earlier ones are safe" in error.splitlines()[-1]
    with Store(path) as store:
        reported = {f"k{line}" for line in out.split("\n")[1:-1]}
        assert len(reported) > 5 and reported <= store.finished_keys()
    check(path)


def test_a_lock_that_stays_is_one_line(tmp_path, monkeypatch):
    path = tmp_path / "bench.sqlite"
    monkeypatch.setattr("bench.store.errors.BUSY_SECONDS", 0.1)
    with Store(path) as store, sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process kept it locked"):
            store.put({"key": "a", "outcome": "ok"})
        other.execute("COMMIT")
        assert store.put({"key": "a", "outcome": "ok"})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_one_line(tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    with pytest.raises(StoreError, match="cannot be"):
        Store(folder / "bench.sqlite")
