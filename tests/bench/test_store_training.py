"""Training runs in a store: resumed, merged, set aside, brought forward from an older store, saved from a cut one."""

from __future__ import annotations

import os
import sqlite3

import pytest

from bench.__main__ import main
from bench.store import SCHEMA_VERSION, Store, StoreError, schema
from bench.store.merge import merge

RUN = {"key": "a", "estimator": "ssm", "options": {"probes": 1}, "seed": 0, "started_at": "2026-01-01T00:00:00"}


def point(place: int) -> dict:
    return {"place": place, "steps": 10 * place, "train_s": 0.1 * place, "objective": -1.0 * place}


def test_a_run_its_evaluation_and_its_state_are_one_commit(tmp_path, monkeypatch):
    with Store(tmp_path / "a.sqlite") as store:
        store.put_training(RUN, point(0), b"first")

        def fails(*_: object) -> None:
            raise RuntimeError

        monkeypatch.setattr(store, "_put_state", fails)
        with pytest.raises(RuntimeError):
            store.put_training({**RUN, "steps": 10}, point(1), b"second")
    with Store(tmp_path / "a.sqlite") as store:
        run = store.training_run("a")
        assert run["steps"] is None and run["options"] == {"probes": 1} and run["finished"] is False
        assert [p["place"] for p in store.training_points("a")] == [0] and store.training_state("a") == (0, b"first")


def test_merging_loses_nothing_and_again_changes_nothing(tmp_path):
    with Store(tmp_path / "a.sqlite") as a, Store(tmp_path / "b.sqlite") as b:
        a.put_training({**RUN, "finished": True, "outcome": "ok"}, point(0), b"x")
        b.put_training({**RUN, "finished": True, "outcome": "nonfinite"}, point(3), b"y")
        counted = [merge(b, a) for _ in range(2)]
        assert [(c.added, c.trained, c.trained_same) for c in counted] == [(0, 1, 0), (0, 0, 1)]
        assert [(r["key"], r["outcome"]) for r in a.training_runs()] == [("a", "ok"), ("a#1", "nonfinite")]
        assert a.training_state("a#1") == (3, b"y")
        a.set_training_aside("a")
        assert [r["key"] for r in a.training_runs()] == ["a#2", "a#1"] and a.training_state("a") is None
        assert [p["place"] for p in a.training_points("a#2")] == [0]


def test_the_verb_says_how_many_runs_it_joined(tmp_path, capsys):
    with Store(tmp_path / "a.sqlite") as store:
        store.put_training({**RUN, "finished": True, "outcome": "ok"}, point(0), b"x")
    command = ["merge", str(tmp_path / "a.sqlite"), "--into", str(tmp_path / "b.sqlite")]
    assert main(command) == 0 and "1 training runs added, 0 there already" in capsys.readouterr().out
    assert main(command) == 0
    assert capsys.readouterr().out.endswith(
        "0 training runs added, 1 there already\n{}: 0 rows, 1 training runs\n".format(tmp_path / "b.sqlite")
    )


def test_a_store_of_version_1_is_brought_forward_and_can_still_be_saved_when_cut(tmp_path, monkeypatch):
    path = tmp_path / "old.sqlite"
    with monkeypatch.context() as old:
        old.setattr(schema, "SCHEMA_VERSION", 1)
        old.setattr(schema, "TRAINING_TABLES", ())
        old.setattr(schema, "TABLE_TYPES", {"rows": schema.TYPES})
        with Store(path) as store:
            store.put_many(({"key": f"k{n}", "outcome": "ok", "output": "x" * 4000}, True) for n in range(200))
    with Store(path) as store:
        store.put_training({**RUN, "finished": True, "outcome": "ok"}, point(0), b"state")
        assert len(store) == 200
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    os.truncate(path, path.stat().st_size // 2)
    with Store(path) as store:
        assert store.recovered is not None and len(store) > 50


def test_training_runs_are_saved_from_a_cut_store(tmp_path):
    path = tmp_path / "cut.sqlite"
    with Store(path) as store:
        for n in range(40):
            store.put_training({**RUN, "key": f"k{n}", "finished": True, "outcome": "ok"}, point(0), bytes(6000))
    os.truncate(path, path.stat().st_size * 2 // 3)
    with Store(path) as store:
        assert store.recovered is not None
        runs = list(store.training_runs())
        assert len(runs) > 10 and all(run["estimator"] == "ssm" for run in runs)
        assert store.training_state("k0") == (0, bytes(6000))
        assert [p["objective"] for p in store.training_points("k0")] == [0.0]


def test_what_is_not_a_column_is_refused(tmp_path):
    with Store(tmp_path / "a.sqlite") as store:
        for row, says in (({**RUN, "lr": 1}, "unknown column lr"), ({**RUN, "finished": True}, "an outcome")):
            with pytest.raises(StoreError, match=says):
                store.put_training(row)
