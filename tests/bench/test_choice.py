"""The tables of docs/choose.md: every measured size has its line, and the cheapest that reaches an error wins it."""

import json
import re

from bench.figures import choice
from bench.verbs.recommend import seconds
from tests.reports.synthetic_rows import synthetic_rows


def test_only_the_exact_reach_a_small_error_and_the_cheapest_of_them_wins():
    rows = [row for row in synthetic_rows() if row["quantity"] == "laplacian" and row["outcome"] == "ok"]
    exact = [r for r in rows if r["grad_std"] == 0 and r["grad_bias_high"] < 0.01]
    cheapest = {}
    for r in exact:
        size = (r["dim"], r["depth"], r["order"])
        cheapest[size] = min(cheapest.get(size, (float("inf"), "")), (r["time_step_s"], r["estimator"]))
    lines = [line.strip("| ").split(" | ") for line in choice.table(rows, "laplacian").split("\n")[2:-2]]
    assert len(lines) == len({(r["dim"], r["depth"], r["order"]) for r in rows}) > 3
    for dim, depth, order, *cells in lines:
        assert len(cells) == len(choice.ERRORS)
        size = (int(dim), int(depth), int(order))
        if size not in cheapest:
            continue
        time_s, name = cheapest.pop(size)
        assert re.match(rf"`{name}\b", cells[-1])
        assert seconds(time_s) in cells[-1].replace("\u00a0", " ")
    assert not cheapest


def test_a_table_says_where_and_when_it_was_measured():
    machine = json.dumps({"cpu": "A chip", "cores_logical": 3})
    rows = [
        row | {"machine": machine, "started_at": "2026-01-02T03", "commit": "abcdef0123"} for row in synthetic_rows()
    ]
    rows[0] |= {"started_at": "2026-01-01T00", "commit": "older"}
    last = choice.table(rows, rows[0]["quantity"]).split("\n")[-1]
    assert f"A chip, 3 cores; 2026-01-02, torch {rows[0]['torch_version']}, commit abcdef012. *" in last
    assert "an unknown machine" in choice.table([row | {"machine": None} for row in rows], rows[0]["quantity"])


def test_a_page_is_written_between_its_marks_alone():
    page = "before\n<!-- measured: laplacian -->\nold\n<!-- end -->\nafter\n"
    new = choice.written(page, synthetic_rows())
    assert new.startswith("before\n<!-- measured: laplacian -->\n| D |") and new.endswith("<!-- end -->\nafter\n")
    assert "old" not in new and choice.written(new, synthetic_rows()) == new


def test_a_size_is_told_by_its_own_rows_and_by_none_that_are_extrapolated_to_it():
    rows = [row for row in synthetic_rows() if row["quantity"] == "laplacian"]
    here = {"dim": 64, "depth": 2, "order": 2}
    without = [r for r in rows if r["estimator"] != "forward_laplacian" or any(r[k] != v for k, v in here.items())]
    assert "`forward_laplacian" in _line(choice.table(rows, "laplacian"))
    assert "`forward_laplacian" not in _line(choice.table(without, "laplacian"))


def _line(table):
    return next(line for line in table.split("\n") if line.startswith("| 64 | 2 | 2 |"))
