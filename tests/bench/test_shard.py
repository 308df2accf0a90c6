"""Shards of a sweep: together the whole, by key; whole problems each; even in points."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from bench import runner
from bench.sweep import load
from bench.verbs.run import run


@pytest.fixture(scope="module")
def points():
    return load("quick").points()


@pytest.mark.parametrize("count", [1, 3, 10, 1000])
def test_shards_together_are_the_whole_and_cut_no_problem(points, count):
    parts = [runner.shard(points, index, count) for index in range(1, count + 1)]
    keys = [runner.key_of(point) for part in parts for point in part]
    assert len(keys) == len(set(keys)) and set(keys) == {runner.key_of(point) for point in points}
    whole = [[id(point) for point in group] for group in runner.groups(points)]
    cut = [[id(point) for point in group] for part in parts for group in runner.groups(part)]
    assert sorted(cut) == sorted(whole)


def test_shards_differ_by_no_more_than_the_largest_problem(points):
    groups = list(runner.groups(points))
    uneven = [point for i, group in enumerate(groups) for point in (group if i % 3 == 0 else group[:1])]
    sizes = [len(runner.shard(uneven, index, 3)) for index in (1, 2, 3)]
    assert max(sizes) - min(sizes) <= max(len(group) for group in runner.groups(uneven))


def test_problems_of_unlike_sizes_are_spread(points):
    big, *small = sorted(runner.groups(points), key=len, reverse=True)
    few = [group[:1] for group in small[: len(big)]]
    assert len(few) >= 3 and len(big) >= len(few)
    mixed = [few[0][0], *big, *(group[0] for group in few[1:])]
    assert sorted(len(runner.shard(mixed, index, 2)) for index in (1, 2)) == [len(few), len(big)]


@pytest.mark.parametrize("bad", ["0/3", "4/3", "3", "a/b", "1/0", "-1/2"])
def test_a_bad_shard_is_one_clear_line(bad):
    said = CliRunner().invoke(run, ["quick", f"--shard={bad}"])
    assert said.exit_code == 2 and "I/N with 1 <= I <= N" in said.output and repr(bad) in said.output
