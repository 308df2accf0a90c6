"""The environment's table: what a machine says of itself, and what a point was allowed there."""

from __future__ import annotations

import json

from bench.measure import Limits
from reports.frames.environment import environment
from reports.frames.rows import from_rows

BASE = {"quantity": "score_matching", "estimator": "ssm", "target": "sm", "outcome": "ok", "device": "cpu"}


def _line(rows, name):
    table = environment(from_rows([BASE | row for row in rows]))
    (line,) = [line for line in table["lines"] if line["name"] == name]
    return line


def test_it_says_how_limits_are_kept_on_each_machine():
    ours, theirs = Limits(60, 2**34), Limits(10, 2**30)
    here, there = json.dumps({"cpu": "A"}), json.dumps({"cpu": "B"})
    told = [(here, ours.describe()), (here, ours.describe("cuda")), (there, theirs.describe()), (there, None)]
    line = _line([{"machine": machine, "extra": {"limits": words}} for machine, words in told], "limits of a point")
    assert line["differs"] and line["values"][1] == theirs.describe()
    assert "10 s wall-clock" in line["values"][1] and "1 GiB, by RLIMIT_DATA in each process" in line["values"][1]
    assert line["values"][0] == " or ".join(sorted([ours.describe(), ours.describe("cuda")]))


def test_rows_that_do_not_say_leave_it_empty():
    assert _line([{"machine": "{}", "extra": None}, {"machine": "{}"}], "limits of a point")["values"] == ["–"]
