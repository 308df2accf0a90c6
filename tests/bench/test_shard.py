"""Shards of a sweep: together the whole, by key; whole problems each; even in predicted seconds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from click.testing import CliRunner

from bench import runner
from bench.forecast import nominal, order
from bench.sweep import load
from bench.verbs.run import run


@pytest.fixture(scope="module")
def points():
    return load("quick").points()


def _seconds(points):
    return sum(nominal.group_s(group) for group in order.groups(points))


@pytest.mark.parametrize("count", [1, 3, 10, 1000])
def test_shards_together_are_the_whole_and_cut_no_problem(points, count):
    parts = [order.shard(points, index, count) for index in range(1, count + 1)]
    keys = [runner.key_of(point) for part in parts for point in part]
    assert len(keys) == len(set(keys)) and set(keys) == {runner.key_of(point) for point in points}
    whole = [[id(point) for point in group] for group in order.groups(points)]
    cut = [[id(point) for point in group] for part in parts for group in order.groups(part)]
    assert sorted(cut) == sorted(whole)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_shards_differ_in_seconds_by_no_more_than_the_dearest_problem(points, count):
    groups = list(order.groups(points))
    uneven = [point for i, group in enumerate(groups) for point in (group if i % 3 == 0 else group[:1])]
    seconds = [_seconds(order.shard(uneven, index, count)) for index in range(1, count + 1)]
    assert max(seconds) - min(seconds) <= max(_seconds(group) for group in order.groups(uneven))


def test_a_dear_problem_weighs_more_than_many_cheap_ones(points):
    """One problem of the largest size has as many points as each of many small ones, and a shard to itself."""
    small = min((group for group in order.groups(points)), key=_seconds)
    cheap = [replace(p, problem=replace(p.problem, seed=seed)) for seed in range(4) for p in small]
    dear = [replace(p, problem=replace(p.problem, dim=3072, width=1024)) for p in small]
    assert _seconds(dear) > _seconds(cheap)
    assert sorted(map(len, (order.shard(cheap + dear, index, 2) for index in (1, 2)))) == [len(dear), len(cheap)]


@pytest.mark.parametrize("bad", ["0/3", "4/3", "3", "a/b", "1/0", "-1/2"])
def test_a_bad_shard_is_one_clear_line(bad):
    said = CliRunner().invoke(run, ["quick", f"--shard={bad}"])
    assert said.exit_code == 2 and "I/N with 1 <= I <= N" in said.output and repr(bad) in said.output
