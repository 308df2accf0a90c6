"""What a store already holds of a sweep: measured points are not measured again, skipped ones may be."""

from __future__ import annotations

from bench import runner, sweep
from bench.store import Store

TEXT = """\
quantity = "laplacian"
estimators = ["hutchinson", "hvp_loop"]
grid = { dim = 4, width = 8, batch = 16, data = "gaussian" }
measure.draws = 16
"""
RULE = '[[skip]]\nwhen = { estimator = "hvp_loop" }\nreason = "not today"\n'


def load(tmp_path, text: str) -> sweep.Sweep:
    path = tmp_path / "sweep.toml"
    path.write_text(text)
    return sweep.load(path)


def plan(loaded: sweep.Sweep, store: Store, retry: tuple[str, ...] = ()) -> runner.Plan:
    points = loaded.points()
    return runner.plan(points, loaded.skips, store, retry)


def test_a_point_that_another_sweep_skipped_is_measured(tmp_path):
    with Store(tmp_path / "bench.sqlite") as store:
        first = plan(load(tmp_path, TEXT + RULE), store)
        assert [p.estimator for p in first.todo.values()] == ["hutchinson"] and len(first.skips) == 1
        for key in first.todo:
            store.put({"key": key, "outcome": "ok"})
        for key, (_, reason) in first.skips.items():
            store.put({"key": key, "outcome": "skipped", "reason": reason})
        again = plan(load(tmp_path, TEXT + RULE), store)
        assert not again.todo and not again.skips
        without = plan(load(tmp_path, TEXT), store)
        assert [p.estimator for p in without.todo.values()] == ["hvp_loop"]
        for key in without.todo:
            assert store.put({"key": key, "outcome": "ok"}, replace=key in without.retried)
        assert not plan(load(tmp_path, TEXT), store).todo
        assert not plan(load(tmp_path, TEXT + RULE), store).skips  # measured is more than skipped
        assert dict(store.outcomes()) == {"ok": 2}


def test_a_retry_measures_what_ended_so_and_nothing_else(tmp_path):
    loaded = load(tmp_path, TEXT)
    with Store(tmp_path / "bench.sqlite") as store:
        keys = list(plan(loaded, store).todo)
        store.put({"key": keys[0], "outcome": "timeout"})
        store.put({"key": keys[1], "outcome": "ok"})
        assert not plan(loaded, store).todo
        assert list(plan(loaded, store, ("timeout", "crashed")).todo) == keys[:1]


def test_a_plan_knows_the_keys_of_its_points_and_skips_whatever_the_store_holds(tmp_path):
    loaded = load(tmp_path, TEXT + RULE)
    with Store(tmp_path / "bench.sqlite") as store:
        fresh = plan(loaded, store)
        assert fresh.keys == {*fresh.todo, *fresh.skips} and len(fresh.keys) == 2
        store.put(
            {"key": next(iter(fresh.todo)), "outcome": "ok", "estimator": "hutchinson", "dim": 4, "time_step_s": 1.0}
        )
        store.put({"key": "unfinished", "outcome": "ok"}, finished=False)
        assert plan(loaded, store).keys == fresh.keys
        (ending,) = store.endings()
        assert (ending["outcome"], ending["dim"], ending["reason"]) == ("ok", 4, None) and "time_step_s" not in ending


def test_what_was_measured_alone_is_only_timed_and_what_failed_is_measured_again(tmp_path):
    """Rows that wait for their window; one that a kill left with another outcome is no such row."""
    loaded = load(tmp_path, TEXT)
    with Store(tmp_path / "bench.sqlite") as store:
        keys = list(plan(loaded, store).todo)
        store.put({"key": keys[0], "outcome": "ok", "grad_bias": 0.25}, finished=False)
        store.put({"key": keys[1], "outcome": "timeout"}, finished=False)
        again = plan(loaded, store)
        assert list(again.todo) == keys
        assert {key: row["grad_bias"] for key, row in again.solo_done.items()} == {keys[0]: 0.25}
        assert again.present == 0 and not again.retried
        store.put({"key": keys[0], "outcome": "ok"})
        done = plan(loaded, store)
        assert (list(done.todo), done.solo_done, done.present) == (keys[1:], {}, 1)
