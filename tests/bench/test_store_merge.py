"""Merging stores: every key once, conflicts shown, and nothing measured lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.store import Store
from bench.store.merge import merge


def row(key: str, **values) -> dict:
    return {"key": key, "estimator": "ssm", "outcome": "ok", "time_samples": [1.0], **values}


@pytest.fixture
def stores(tmp_path: Path):
    def make(name: str, *rows: dict, unfinished: tuple[dict, ...] = ()) -> Path:
        path = tmp_path / name
        with Store(path) as store:
            store.begin_run(name, f"run {name}", seeds=[0])
            store.put_many([(one, True) for one in rows] + [(one, False) for one in unfinished])
        return path

    return make


def test_shards_join(stores, tmp_path):
    paths = [stores("one", row("a"), row("b")), stores("two", row("c"))]
    with Store(tmp_path / "all") as into:
        for path in paths:
            with Store(path) as source:
                assert merge(source, into).conflicts == []
        assert into.finished_keys() == {"a", "b", "c"}
        titles = {run["id"]: run["title"] for run in into.runs()}
        assert {r["key"]: titles[r["run"]] for r in into.rows()} == {"a": "one", "b": "one", "c": "two"}


def test_the_same_rows_again_change_nothing(stores, tmp_path):
    path = stores("one", row("a", grad_std=0.5, options={"probes": 1}))
    with Store(tmp_path / "all") as into:
        for expected in ((1, 0), (0, 1), (0, 1)):
            with Store(path) as source:
                merged = merge(source, into)
            assert (merged.added, merged.same, merged.conflicts) == (*expected, [])
        assert len(into) == 1 and len(into.runs()) == 1 and into.replaced() == []


def test_when_and_by_whom_is_no_conflict(stores, tmp_path):
    paths = [stores("one", row("a", commit="x", duration_s=1.0)), stores("two", row("a", commit="x+", duration_s=2.0))]
    with Store(tmp_path / "all") as into:
        for path in paths:
            with Store(path) as source:
                assert merge(source, into).conflicts == []


def test_a_conflict_keeps_the_first_and_puts_the_other_aside_once(stores, tmp_path):
    paths = [stores("one", row("a", grad_std=1.0)), stores("two", row("a", grad_std=2.0, outcome="nonfinite"))]
    with Store(tmp_path / "all") as into:
        for _ in range(2):
            for path in paths:
                with Store(path) as source:
                    merged = merge(source, into)
            (conflict,) = merged.conflicts
            assert conflict.columns == ("grad_std", "outcome") and conflict.outcomes_differ
        assert [r["grad_std"] for r in into.rows()] == [1.0]
        assert [r["grad_std"] for r in into.replaced()] == [2.0]


def test_a_finished_row_takes_the_place_of_one_begun(stores, tmp_path):
    begun = stores("one", unfinished=(row("a", outcome=None), row("b", outcome=None)))
    done = stores("two", row("a", grad_std=1.0))
    with Store(tmp_path / "all") as into:
        for path in (begun, done, begun):
            with Store(path) as source:
                merge(source, into)
        assert into.finished_keys() == {"a"} and [r["key"] for r in into.unfinished()] == ["b"]


def test_a_measured_row_takes_the_place_of_a_skipped_one(stores, tmp_path):
    skipped, measured = stores("one", row("a", outcome="skipped")), stores("two", row("a", grad_std=1.0))
    for order in ((skipped, measured), (measured, skipped)):
        with Store(tmp_path / f"all_{order[0].name}") as into:
            for path in order:
                with Store(path) as source:
                    assert merge(source, into).conflicts == []
            assert [r["outcome"] for r in into.rows()] == ["ok"]


def test_the_verb_shows_conflicts(stores, tmp_path, capfd):
    one, two = stores("one", row("a", time_step_s=0.5)), stores("two", row("a", time_step_s=0.75), row("b"))
    into = tmp_path / "all"
    assert main(["merge", str(one), str(two), "--into", str(into)]) == 0
    out = capfd.readouterr().out
    assert "1 rows added, 0 there already, 1 in conflict" in out and "0.5" in out and "0.75" in out
    assert main(["merge", str(two), "--into", str(into), "--json", "--fail-on-conflict"]) == 1
    report = json.loads(capfd.readouterr().out)
    assert report["conflicts"][0]["differs"] == {"time_step_s": [0.5, 0.75]}


def test_the_verb_refuses_to_read_what_it_writes_and_what_is_not_there(stores, tmp_path, capfd):
    one = stores("one", row("a"))
    assert main(["merge", str(one), "--into", str(one)]) == 2
    assert "both read and written" in capfd.readouterr().err
    assert main(["merge", str(one), str(tmp_path / "none"), "--into", str(tmp_path / "all")]) == 2
    assert "there is no such file" in capfd.readouterr().err
    assert not (tmp_path / "all").exists()


def test_rows_travel_in_few_transactions_and_one_that_fails_leaves_nothing_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.store.merge.AT_ONCE", 10)
    with Store(tmp_path / "a.sqlite") as source, Store(tmp_path / "all.sqlite") as into:
        source.put_many(({"key": f"k{n}", "outcome": "ok", "seed": n}, True) for n in range(35))
        commits: list[str] = []
        into._connection.set_trace_callback(lambda line: commits.append(line) if line == "COMMIT" else None)
        put = Store.put

        def failing(self, row, *given, **named):
            if row["key"] == "k17":
                raise RuntimeError("the disk is gone")
            return put(self, row, *given, **named)

        monkeypatch.setattr(Store, "put", failing)
        with pytest.raises(RuntimeError, match="the disk is gone"):
            merge(source, into)
        assert sorted(row["seed"] for row in into.rows()) == list(range(10)) and len(commits) == 1
        monkeypatch.setattr(Store, "put", put)
        assert merge(source, into).added == 25
        assert len(commits) == 1 + 4 and [row["seed"] for row in into.rows()] == list(range(35))
