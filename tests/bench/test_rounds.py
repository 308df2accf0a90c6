"""Interleaved rounds: who takes turns, in which order, how often, and what a failure costs the others."""

from itertools import pairwise, permutations
from types import SimpleNamespace

import pytest

from bench import timing
from bench.rounds import ratios_to_anchor
from bench.timing import FEWEST_ROUNDS, Entry, interleave, median_ratio, order_of_round


class _Worker:
    """Answers as a worker does, and writes into a log of all of them what it was asked."""

    def __init__(self, name, log, typical_s=0.001, breaks_at=None):
        self.name, self.log, self.typical_s, self.breaks_at = name, log, typical_s, breaks_at
        self.blocks = 0

    def ask(self, request, timeout_s, sample_s):
        self.log.append((self.name, request["do"], timeout_s))
        if request["do"] == "warm_up":
            return {"outcome": "ok", "typical_s": self.typical_s, "kernel_s": 0.5}
        self.blocks += 1
        if self.blocks == self.breaks_at:
            return {"outcome": "error", "reason": "it broke"}
        median_s = self.typical_s * self.blocks  # a machine that slows down
        block = {"median_s": median_s, "device_s": None}
        return {"outcome": "ok", "kernel_s": 0.25, "blocks": dict.fromkeys(request["lengths_s"], block)}


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch, tmp_path):
    turn = timing.turn
    monkeypatch.setattr(timing, "turn", lambda: turn(tmp_path / "lock"))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_the_order_changes_every_round_and_favours_nobody(count):
    entries = [SimpleNamespace(name=k) for k in range(count)]
    rounds = [[entry.name for entry in order_of_round(entries, index)] for index in range(2 * count)]
    assert all(sorted(order) == list(range(count)) for order in rounds)
    if count == 2:
        assert rounds == [[0, 1], [1, 0], [1, 0], [0, 1]]  # of the only two orders, so that a steady drift cancels
    else:
        assert all(one != next_ for one, next_ in pairwise(rounds))
    for place in (0, -1):
        assert sorted(order[place] for order in rounds) == sorted(2 * list(range(count)))
    for a, b in permutations(range(count), 2):
        assert sum(order.index(a) < order.index(b) for order in rounds) == count


def test_everybody_is_warmed_up_then_has_one_block_a_round():
    log = []
    entries = [Entry(_Worker(name, log)) for name in "abcd"]
    interleave(entries, rounds=9, block_s=0.01, timeout_s=5.0)
    assert [(name, do) for name, do, _ in log[:4]] == [(name, "warm_up") for name in "aabb"]  # step and value each
    blocks = [name for name, do, _ in log if do == "block"]
    assert [do for _, do, _ in log].index("block") == 8
    assert len(blocks) == 4 * 9
    for index in range(9):
        assert blocks[4 * index : 4 * index + 4] == [e.worker.name for e in order_of_round(entries, index)]
    assert all(len(entry.medians[call]) == 9 for entry in entries for call in ("step", "value"))
    assert all(entry.kernel_s == pytest.approx(2 * 0.5 + 9 * 0.25) for entry in entries)
    (limit_s,) = {limit for _, do, limit in log if do == "block"}
    assert limit_s == pytest.approx(2 * 5.0 + 0.01 + 0.005)  # served time: others' turns are not in it


@pytest.mark.parametrize(("typical_s", "rounds"), [(0.01, 15), (0.06, 10), (5.0, FEWEST_ROUNDS)])
def test_slow_calls_get_fewer_rounds_but_never_too_few(typical_s, rounds):
    entries = [Entry(_Worker("fast", [])), Entry(_Worker("slow", [], typical_s))]
    seen = []
    interleave(entries, on_round=lambda done, planned: seen.append((done, planned)))
    assert [len(entry.medians["step"]) for entry in entries] == [rounds, rounds]
    assert seen == [(done, rounds) for done in range(1, rounds + 1)]


def test_a_failure_leaves_the_others_their_rounds():
    log = []
    good, bad = Entry(_Worker("good", log)), Entry(_Worker("bad", log, breaks_at=3))
    interleave([good, bad], rounds=8)
    assert (bad.failure.outcome, bad.failure.reason, bad.medians) == ("error", "it broke", {})
    assert good.failure is None and len(good.medians["step"]) == 8
    assert [name for name, do, _ in log if do == "block"].count("bad") == 3
    assert median_ratio(bad, good) is None


def test_ratios_are_the_points_over_the_anchors_of_the_same_round():
    anchor, point = Entry(_Worker("anchor", [], 0.001)), Entry(_Worker("point", [], 0.003))
    interleave([anchor, point], rounds=8)
    assert median_ratio(point, anchor) == pytest.approx(3.0)
    row = {"time_samples": [3.0, 8.0, 15.0], "extra": {"anchor_samples": [1.0, 2.0, 3.0]}}
    assert ratios_to_anchor(row) == [3.0, 4.0, 5.0]
    assert ratios_to_anchor({"time_samples": [1.0], "extra": {}}) == []
