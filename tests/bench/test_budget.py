"""A run with a budget: what is cheap and new comes first, windows stay whole, nothing measured is lost."""

from __future__ import annotations

from collections import Counter

import pytest

from bench import runner
from bench.forecast import nominal, order
from bench.forecast.budget import Budget
from bench.measure import Bench, Limits
from bench.store import Store
from bench.sweep import load
from bench.verbs._account import left

SWEEP = """
title = "Cheap first"
quantity = "score_matching"
estimators = ["sm_exact", "ssm", {{ name = "fd_ssm", eps = [0.01, 0.1, 1.0] }}, "dsm"]
grid = {{ model = "mlp", data = "digits", dim = {dims}, depth = 1, width = {width}, batch = 8 }}
measure = {{ draws = 16 }}
"""


def _points(tmp_path, dims, width=8):
    (tmp_path / "sweep.toml").write_text(SWEEP.format(dims=dims, width=width))
    return load(tmp_path / "sweep.toml").points()


@pytest.fixture(scope="module")
def full():
    return load("full").points()


def test_the_turns_are_the_whole_each_of_one_problem(full):
    turns = order.turns(full, lambda point: 3)
    assert sorted(point.to_json() for turn in turns for point in turn) == sorted(point.to_json() for point in full)
    assert all(len(turn) <= 3 and len(list(order.groups(turn))) == 1 for turn in turns)
    assert turns == order.turns(full, lambda point: 3)


def test_what_is_cheap_comes_first_and_no_problem_twice_before_all_had_a_turn(tmp_path):
    points = _points(tmp_path, [4, 1000, 8], width=256)
    turns = order.turns(points, lambda point: 3)
    first = [turn[0].problem.dim for turn in turns[:3]]
    assert first == [4, 8, 1000]
    assert all("sm_exact" not in [p.estimator for p in turn] for turn in turns[:3] if turn[0].problem.dim == 1000)
    dear = max(points, key=nominal.point_s)
    assert dear.estimator == "sm_exact" and dear.problem.dim == 1000 and turns[-1] == [dear]


def test_wherever_it_stops_every_estimator_was_measured_about_as_often(tmp_path):
    points = _points(tmp_path, [4, 5, 6, 7, 8])
    done: Counter[str] = Counter()
    turns = order.turns(points, lambda point: 3)
    for turn in turns[:5]:
        done.update(point.estimator for point in turn)
    assert set(done) == {"sm_exact", "ssm", "fd_ssm", "dsm"} and max(done.values()) - min(done.values()) <= 1


def test_a_third_variant_waits_until_every_problem_had_two(tmp_path):
    turns = order.turns(_points(tmp_path, [4, 5, 6]), lambda point: 3)
    assert [[point.estimator for point in turn] for turn in turns[-3:]] == [["fd_ssm"]] * 3
    assert {turn[0].problem.dim for turn in turns[-3:]} == {4, 5, 6}


def test_without_a_budget_problems_stay_whole_and_the_cheap_come_first(full):
    groups = order.whole(full)
    seconds = [nominal.group_s(group) for group in groups]
    assert seconds == sorted(seconds) and sum(map(len, groups)) == len(full)


def test_a_budget_learns_the_pace_of_the_machine():
    budget = Budget(100.0)
    assert budget.allows(90.0) and not budget.allows(110.0)
    budget.learn(0.0, 0.0)  # begun, and all of it left out
    assert budget.factor == 1.0
    budget.learn(1.0, 3.0)
    budget.learn(3.0, 9.0)
    assert budget.factor == 3.0 and budget.allows(30.0) and not budget.allows(40.0)


def test_a_turn_that_would_not_end_in_time_is_passed_over_for_one_that_would(tmp_path, monkeypatch):
    points = _points(tmp_path, [1000, 4], width=256)
    measured = []

    def measure(self, points, budget=None):
        measured.extend(points)
        return 0.0

    monkeypatch.setattr(runner._Run, "measure", measure)
    monkeypatch.setattr(Bench, "rates", lambda self, point: None)
    dear = max(points, key=nominal.point_s)
    with Store(tmp_path / "s.sqlite") as store, Bench(Limits.of_this_machine()) as bench:
        plan = runner.plan(points, (), store)
        budget = Budget(0.9 * nominal.point_s(dear))
        monkeypatch.setattr(budget, "learn", lambda nominal_s, took_s: None)
        runner.run(plan, store, bench, 1, None, budget)
    assert dear not in measured and len(measured) == len(points) - 1


def test_a_run_stops_within_a_window_and_goes_on_where_it_was(tmp_path, capsys):
    """Time is up while the first points are measured alone: they are kept, and only timed when the run goes on."""
    points = _points(tmp_path, [4])[:4]
    budget = Budget(1000.0)

    def time_is_up(row):
        budget.ends = 0.0

    with Store(tmp_path / "s.sqlite") as store:
        with Bench(Limits.of_this_machine(), predict=False) as bench:
            plan = runner.plan(points, (), store)
            assert not runner.run(plan, store, bench, 1, runner.Watcher(on_solo=time_is_up), budget)
        kept = [row["key"] for row in store.unfinished()]
        assert len(kept) == 3 and not store.finished_keys()
        again = runner.plan(points, (), store)
        assert set(again.solo_done) == set(kept) and len(again.todo) == len(points)
        again.solo_done[kept[0]]["machine"] = "elsewhere"
        solo = []
        with Bench(Limits.of_this_machine(), predict=False) as bench:
            watcher = runner.Watcher(on_solo=lambda row: solo.append(row["key"]))
            assert runner.run(again, store, bench, 1, watcher, Budget(1000.0)) == {"ok": len(points)}
        assert not set(solo) & set(kept) and len(solo) == len(points) - 3
        assert not runner.plan(points, (), store).todo
        assert {row["machine"] for row in store.rows()} == {bench.machine}  # whose times they are
        assert [row["key"] for row in store.rows() if row["extra"].get("begun_on") == "elsewhere"] == kept[:1]


def test_what_is_left_is_told_by_estimator_with_its_time(tmp_path):
    points = _points(tmp_path, [4, 8])
    budget = Budget(1.0)
    budget.learn(1.0, 2.0)
    told = left(points, budget, timed=True)
    seconds = 2 * sum(nominal.group_s(group) for group in order.groups(points))
    assert told.startswith("12 points are left (fd_ssm 6, ")
    assert f"about {seconds:.1f} s at this pace; the same command goes on" in told
    assert f"about {seconds / 4:.1f} s at this pace" in left(points, budget, timed=True, workers=4)
    assert "pace" not in left(points[:1], None, timed=True)
