"""The store: what is put comes back, nothing finished is lost, and a file that is not ours is refused."""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
from pathlib import Path

import pytest

from bench.columns import NAMES
from bench.store import SCHEMA_VERSION, Store, StoreError
from bench.store.schema import APPLICATION_ID


def row(key: str, **values) -> dict:
    return {"key": key, "estimator": "ssm", "outcome": "ok", **values}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bench.sqlite"


def test_python_values_come_back(path):
    given = row(
        "a",
        options={"probes": 1, "law": "sphere"},
        dim=16,
        residual=False,
        time_step_s=0.25,
        time_samples=[0.2, 0.3],
        bias_resolved=True,
        extra={"note": [1, {"x": None}]},
        output="naïve \udcff text",
    )
    with Store(path) as store:
        store.put(given)
        (back,) = store.rows()
    assert list(back) == [*NAMES, "finished", "run", "extra", "output"]
    assert {name: back[name] for name in given if name != "output"} == {k: v for k, v in given.items() if k != "output"}
    assert back["output"] == "naïve ? text"
    assert back["finished"] is True and back["residual"] is False and back["grad_bias"] is None


def test_numpy_scalars_are_plain_numbers(path):
    numpy = pytest.importorskip("numpy")
    with Store(path) as store:
        store.put(row("a", dim=numpy.int64(3), grad_std=numpy.float32(0.5), extra={"n": numpy.arange(2)}))
        (back,) = store.rows()
    assert (back["dim"], back["grad_std"], back["extra"]) == (3, 0.5, {"n": [0, 1]})


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"dims": 3}, "unknown column 'dims'; did you mean 'dim'"),
        ({"dim": "three"}, "column dim holds int; got 'three'"),
        ({"dim": 2.5}, "column dim holds int"),
        ({"options": "{}"}, "column options holds dict"),
        ({"bias_resolved": "yes"}, "column bias_resolved holds bool"),
        ({"outcome": None}, "a finished one an outcome"),
    ],
)
def test_wrong_values_are_refused(path, values, says):
    with Store(path) as store:
        with pytest.raises(StoreError, match=says):
            store.put(row("a") | values)
        assert len(store) == 0


def test_an_outcome_is_one_of_eight(path):
    with Store(path) as store, pytest.raises(StoreError):
        store.put(row("a", outcome="fine"))


def test_a_finished_row_stays(path):
    with Store(path) as store:
        assert store.put(row("a", grad_std=1.0))
        assert not store.put(row("a", grad_std=2.0))
        assert not store.put(row("a", grad_std=3.0), finished=False)
        assert [r["grad_std"] for r in store.rows()] == [1.0]


def test_an_unfinished_row_is_replaced_and_then_stays(path):
    with Store(path) as store:
        store.put(row("a", outcome=None, grad_std=1.0), finished=False)
        assert store.finished_keys() == set() and [r["key"] for r in store.unfinished()] == ["a"]
        assert store.put(row("a", grad_std=1.0, time_step_s=0.1))
        assert store.finished_keys() == {"a"} and store.unfinished() == []
        assert len(store) == 1


def test_a_retry_keeps_what_it_replaces(path):
    with Store(path) as store:
        store.put(row("a", outcome="timeout", reason="60 s"))
        store.put(row("b"))
        assert store.keys_of(["timeout"]) == {"a"}
        assert store.put(row("a"), replace=True)
        assert dict(store.outcomes()) == {"ok": 2}
    with sqlite3.connect(path) as raw:
        ((key, old),) = raw.execute("SELECT key, row FROM replaced").fetchall()
    assert key == "a" and json.loads(old)["outcome"] == "timeout"


def test_many_rows_are_all_or_none(path):
    with Store(path) as store:
        assert store.put_many([(row("a"), True), (row("b"), False), (row("a"), True)]) == 2
        with pytest.raises(StoreError):
            store.put_many([(row("c"), True), (row("d", outcome="fine"), True)])
        assert {r["key"] for r in store.rows()} == {"a", "b"}


def test_rows_stream_in_order_across_blocks(path, monkeypatch):
    monkeypatch.setattr("bench.store.reading._PAGE", 7)
    with Store(path) as store:
        store.put_many((row(f"k{n}"), n % 3 > 0) for n in range(50))
        assert [r["key"] for r in store.rows()] == [f"k{n}" for n in range(50)]
        assert len(list(store.rows(finished_only=True))) == sum(n % 3 > 0 for n in range(50))


def test_the_frame_has_the_columns_in_order_and_types_that_can_be_empty(path):
    with Store(path) as store:
        store.put(row("a", dim=16, options={"probes": 2}, bias_resolved=True, grad_std=0.5))
        store.put(row("b", time_samples=[1.0]))
        frame = store.frame()
    assert tuple(frame.columns[: len(NAMES)]) == NAMES
    assert str(frame["dim"].dtype) == "Int64" and str(frame["bias_resolved"].dtype) == "boolean"
    assert frame["options"][0] == {"probes": 2} and frame["time_samples"][1] == [1.0]
    assert frame["grad_std"].isna().tolist() == [False, True]


def test_an_empty_frame_keeps_its_columns(path):
    with Store(path) as store:
        assert tuple(store.frame().columns[: len(NAMES)]) == NAMES


def test_rows_know_the_run_they_come_from(path):
    with Store(path) as store:
        store.put(row("before"))
        number = store.begin_run("Quick", "run quick", machine="{}", commit="abc+", seeds=[1, 0, 1])
        store.put(row("a"))
        assert [r["run"] for r in store.rows()] == [None, number]
        (run,) = store.runs()
    assert (run["title"], run["commit"], run["seeds"]) == ("Quick", "abc+", [0, 1])


def test_it_is_found_again(path):
    with Store(path) as store:
        store.put(row("a"))
    with Store(path, must_exist=True) as store:
        assert store.finished_keys() == {"a"} and store.recovered is None
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert raw.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_files_that_are_not_ours_are_refused_and_left_alone(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to look like one")
    foreign = tmp_path / "foreign.sqlite"
    with sqlite3.connect(foreign) as raw:
        raw.execute("CREATE TABLE t (x)")
    for path, says in (
        (text, "not an SQLite file"),
        (foreign, "not a store of this benchmark"),
        (tmp_path, "a folder"),
    ):
        before = path.read_bytes() if path.is_file() else b""
        with pytest.raises(StoreError, match=says) as caught:
            Store(path)
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)
        assert (path.read_bytes() if path.is_file() else b"") == before
    with pytest.raises(StoreError, match="there is no such file"):
        Store(tmp_path / "none.sqlite", must_exist=True)
    assert not (tmp_path / "none.sqlite").exists()


@pytest.mark.parametrize(("version", "says"), [(SCHEMA_VERSION + 1, "newer checkout"), (0, "no way from there")])
def test_another_version_is_refused(path, version, says):
    Store(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(StoreError, match=says):
        Store(path)


def test_an_older_version_is_brought_forward(path, monkeypatch):
    with Store(path) as store:
        store.put(row("a"))

    def add_a_column(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE rows ADD COLUMN new TEXT DEFAULT 'later'")

    monkeypatch.setattr("bench.store.schema.SCHEMA_VERSION", SCHEMA_VERSION + 1)
    monkeypatch.setattr("bench.store.schema.MIGRATIONS", {SCHEMA_VERSION: add_a_column})
    with Store(path) as store:
        assert store.finished_keys() == {"a"}
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT new FROM rows").fetchone() == ("later",)


def test_a_migration_that_fails_changes_nothing(path, monkeypatch):
    Store(path).close()

    def fails(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE rows ADD COLUMN new TEXT")
        connection.execute("no such statement")

    monkeypatch.setattr("bench.store.schema.SCHEMA_VERSION", SCHEMA_VERSION + 1)
    monkeypatch.setattr("bench.store.schema.MIGRATIONS", {SCHEMA_VERSION: fails})
    with pytest.raises(StoreError):
        Store(path)
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert "new" not in {column[1] for column in raw.execute("PRAGMA table_info(rows)")}


def test_a_column_added_since_is_empty_in_older_rows(path):
    with Store(path) as store:
        store.put(row("a"))
    with sqlite3.connect(path) as raw:
        raw.execute("ALTER TABLE rows DROP COLUMN energy_j")
    with Store(path) as store:
        store.put(row("b", energy_j=1.5))
        assert [r["energy_j"] for r in store.rows()] == [None, 1.5]


def test_every_commit_is_synced_to_disk(path):
    with Store(path) as store:
        assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_network_file_system_gets_a_rollback_journal(path, monkeypatch):
    monkeypatch.setattr("bench.store.journal.on_network_file_system", lambda path: True)
    with Store(path) as store:
        store.put(row("a"))
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def _write(path: Path, worker: int, barrier) -> None:
    barrier.wait()  # both create the file at once
    with Store(path) as store:
        for n in range(60):
            store.put(row(f"k{n}", seed=worker))


def test_two_runs_on_one_store(path):
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    writers = [context.Process(target=_write, args=(path, worker, barrier)) for worker in (0, 1)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    with Store(path) as store:
        assert sorted(r["key"] for r in store.rows()) == sorted(f"k{n}" for n in range(60))


@pytest.mark.parametrize("read", [lambda s: s.rows(True), lambda s: s.rows(), lambda s: s.blocks(True), Store.endings])
def test_a_page_of_rows_is_found_without_sorting_the_others(path, read, monkeypatch):
    monkeypatch.setattr("bench.store.reading._PAGE", 2)
    with Store(path) as store:
        store.put_many((row(f"k{n}"), True) for n in range(5))
        asked: list[str] = []
        store._connection.set_trace_callback(asked.append)
        assert sum(1 for _ in read(store)) in (3, 5)
        store._connection.set_trace_callback(None)
        for line in asked:
            steps = [step[3] for step in store._connection.execute(f"EXPLAIN QUERY PLAN {line}")]
            assert steps == ["SEARCH rows USING INTEGER PRIMARY KEY (rowid>?)"], line
