"""From the solo pass to the timed window: workers that stay, what ends them, and the spare that waits for its point."""

import os
import signal
import time
from collections import Counter
from statistics import median

import psutil
import pytest
import torch

import estimators
from bench import problems, rehearsal, runner, window
from bench import solo as solo_pass
from bench.measure import Bench, Limits
from bench.point import Point, ProblemSpec
from bench.solo import solo
from bench.store import Store
from bench.timing import interleave
from bench.window import opened_anchor, time_window

SPEC = ProblemSpec(data="gaussian", dim=8, depth=1, width=8, batch=8)


def _point(name):
    estimator = estimators.get(name)
    return Point(name, "score_matching", SPEC, 2, dict(estimator.options), draws=16, target=estimator.target)


@pytest.fixture(scope="module")
def bench():
    problems.prepare(SPEC)
    with Bench(Limits.of_this_machine(), predict=False) as made:
        assert made.reference(SPEC, "score_matching", 2, "sm", 1) == ""
        yield made


def _wait_for(condition, within_s=10.0):
    deadline = time.monotonic() + within_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_a_kept_worker_is_stopped_then_timed_then_gone(bench):
    kept = [solo(bench, _point(name), keep=True) for name in ("ssm", "fd_ssm")]
    processes = [psutil.Process(alone.worker.pid) for alone in kept]
    assert all(_wait_for(lambda p=p: p.status() == psutil.STATUS_STOPPED) for p in processes)
    base = opened_anchor(bench, kept[0].point)
    rows = time_window(bench, kept, base)
    assert [row["outcome"] for row in rows] == ["ok", "ok"]
    assert all(row["time_step_s"] > 0 and row["time_ratio"] > 0 and row["peak_step_bytes"] > 0 for row in rows)
    assert rows[0]["round_group"] == rows[1]["round_group"]
    assert base.failure is None
    again = time_window(bench, [solo(bench, _point("ssm"), keep=True)], base)  # one anchor serves many windows
    assert again[0]["time_ratio"] > 0
    assert again[0]["round_group"] != rows[0]["round_group"]
    base.worker.close()
    assert all(_wait_for(lambda p=p: not p.is_running() or p.status() == psutil.STATUS_ZOMBIE) for p in processes)


def test_a_worker_that_dies_while_it_waits_costs_no_row(bench):
    dead, alive = (solo(bench, _point(name), keep=True) for name in ("ssm", "fd_ssm"))
    os.kill(dead.worker.pid, signal.SIGKILL)
    assert _wait_for(dead.worker.has_ended)
    base = opened_anchor(bench, alive.point)
    first, second = time_window(bench, [dead, alive], base)
    base.worker.close()
    assert [first["outcome"], second["outcome"]] == ["ok", "ok"]


def test_a_worker_that_needed_much_memory_does_not_stay(bench, monkeypatch):
    assert solo(bench, _point("ssm")).worker is None
    monkeypatch.setattr(solo_pass, "KEPT_BELOW_BYTES", 1)
    assert solo(bench, _point("ssm"), keep=True).worker is None


def test_a_spare_that_died_is_replaced(bench):
    worker = bench.worker("cpu")
    server = psutil.Process(worker.pid).parent()
    assert _wait_for(lambda: len(server.children()) == 2)
    (spare,) = (child for child in server.children() if child.pid != worker.pid)
    worker.close()
    spare.kill()
    assert _wait_for(lambda: not spare.is_running())  # reaped: a zombie's other threads may still hold its descriptors
    row = solo(bench, _point("ssm")).row
    assert row["outcome"] == "ok", row["reason"]


def test_a_rehearsal_leaves_no_trace():
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    try:
        rehearsal.rehearse()
        assert torch.get_num_threads() == 1
        assert torch.equal(torch.random.get_rng_state(), state)
        assert torch.get_default_dtype() == torch.float32
    finally:
        torch.set_num_threads(threads)


def test_windows_of_a_problem_have_one_anchor_and_at_most_three_points(bench, monkeypatch, tmp_path):
    seen = []

    def watched(entries, **settings):
        seen.append([entry.worker.pid for entry in entries])
        interleave(entries, rounds=7, block_s=0.001, budget_s=0.01, **settings)

    monkeypatch.setattr(window, "interleave", watched)
    points = [_point(name) for name in ("ssm", "fd_ssm", "dsm", "taylor_ssm", "sm_exact")]
    with Store(tmp_path / "bench.sqlite") as store:
        assert runner.run(runner.plan(points, (), store), store, bench) == {"ok": 5}
        rows = list(store.rows())
    assert [len(pids) for pids in seen] == [4, 3]
    assert seen[0][0] == seen[1][0]  # the anchor
    assert len({pid for pids in seen for pid in pids}) == 6
    groups = Counter(row["round_group"] for row in rows)
    assert sorted(groups.values()) == [2, 3]
    for row in rows:
        assert len(row["time_samples"]) == len(row["extra"]["anchor_samples"]) == 7
        ratios = [a / b for a, b in zip(row["time_samples"], row["extra"]["anchor_samples"], strict=True)]
        assert row["time_ratio"] == pytest.approx(median(ratios))
        assert row["time_step_low_s"] <= row["time_step_s"] <= row["time_step_high_s"]
        assert row["extra"]["quality"] in ("stable", "noisy")


@pytest.mark.parametrize("why_not", ["", "not asked for"])
def test_a_point_opened_beforehand_has_the_same_numbers(bench, why_not):
    point = _point("dsm")
    assert bench.reference(SPEC, "score_matching", 2, "dsm", 1) == ""
    ahead = solo(bench, point, "", False, why_not, solo_pass.opened(bench, point, solo_pass.yardstick("", why_not))).row
    row = solo(bench, point, no_noised_reference=why_not).row
    assert ahead["outcome"] == row["outcome"] == "ok"
    columns = (
        "grad_bias",
        "grad_bias_low",
        "grad_bias_high",
        "grad_std",
        "grad_rounding",
        "peak_step_bytes",
        "reference",
    )
    assert {name: ahead[name] for name in columns} == {name: row[name] for name in columns}
    for one in (ahead, row):
        assert one["extra"].get("no_noised_reference", "") == why_not and ("noised_grad_bias" in one["extra"]) != bool(
            why_not
        )


def _recorded(monkeypatch, log):
    """Have the runner write down when a point is opened, and when it is measured."""

    def watched_opened(bench, point, *rest):
        found = solo_pass.opened(bench, point, *rest)
        log.append(("opened", point.estimator))
        return found

    def watched_solo(bench, point, *rest):
        log.append(("begun", point.estimator))
        found = solo(bench, point, *rest)
        time.sleep(0.3)  # for the next to be opened in
        log.append(("done", point.estimator))
        return found

    monkeypatch.setattr(runner, "opened", watched_opened)
    monkeypatch.setattr(runner, "solo", watched_solo)


@pytest.mark.parametrize("light", [True, False])
def test_the_next_point_is_opened_while_one_is_measured_unless_it_may_need_much(bench, light, monkeypatch, tmp_path):
    log = []
    _recorded(monkeypatch, log)
    if not light:
        monkeypatch.setattr(solo_pass, "KEPT_BELOW_BYTES", 1)
    names = ["ssm", "fd_ssm", "dsm", "taylor_ssm"]
    with Store(tmp_path / "bench.sqlite") as store:
        runner.run(runner.plan([_point(name) for name in names], (), store), store, bench, timed=False)
        assert [row["outcome"] for row in store.unfinished()] == ["ok"] * 4
    whole = [event for event in log if event[0] != "opened"]
    order = [name for what, name in whole if what == "begun"]
    assert whole == [event for name in order for event in (("begun", name), ("done", name))]  # one job: one at a time
    ahead = [("opened", name) in log[: log.index(("begun", name))] for name in order]
    assert ahead == ([False, False, True, True] if light else [False] * 4)  # the second waits to see what one needs
