"""A store with more settings than a figure can show: what is left out is said, and what is shown can be read."""

from __future__ import annotations

import csv
import io
from itertools import pairwise

import pytest

from reports.frames.rows import from_rows
from reports.pages.build import build
from tests.reports.synthetic_rows import synthetic_rows

pytestmark = pytest.mark.browser
WIDTHS = "+document.querySelector('[data-figure=heat_map] svg').getAttribute('width')"
STEPS, IN_DOUBLE = 70, 40
BARS = """[...document.querySelectorAll("figure[data-figure=outcomes] .mark-text.role-mark text")]
    .filter((text) => text.textContent).map((text) => {
    const { left, right } = text.getBoundingClientRect();
    return [left, right];
}).sort((a, b) => a[0] - b[0])"""


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    """One size, 70 steps ε of one estimator with errors that fall, some in two precisions; and three that failed."""
    first = next(r for r in synthetic_rows() if r["estimator"] == "fd_ssm" and r["outcome"] == "ok")
    first = first | {"seed": 1234567891, "dtype": "float32"}
    rows = [
        first | {"options": {"eps": k + 1.0}, "dtype": dtype, "peak_step_bytes": 1_472_123_457}
        | {"grad_bias": 1e-3 * (STEPS - k), "grad_bias_low": 9e-4 * (STEPS - k), "grad_bias_high": 2e-3 * (STEPS - k)}
        | {"time_step_s": 1e-3 * (1 + (k * 37) % 11), "grad_std": 1e-6, "grad_rmse": None}
        for k in range(STEPS) for dtype in ("float32", "float64")[: 1 + (k < IN_DOUBLE)]
    ]  # fmt: skip
    empty = {"time_step_s": None, "grad_bias": None, "reason": "planted", "outcome": "timeout"}
    rows += [first | empty | {"options": {"eps": 0.5}, "outcome": o} for o in ("timeout", "crashed", "error")]
    return build(from_rows(rows), tmp_path_factory.mktemp("crowded"), "crowded")


def shown(page, figure):
    place = page.locator(f"figure[data-figure={figure}]")
    place.scroll_into_view_if_needed()
    page.wait_for_selector(f"figure[data-figure={figure}][data-drawn=yes]")
    return page.evaluate(f"window.report.views['{figure}'].data('points')"), place.locator(".told").inner_text()


def test_what_a_figure_leaves_out_is_said(crowded, open_page):
    page = open_page(crowded, "#dtype=float32")
    points, told = shown(page, "heat_map")
    assert len({point["label"] for point in points}) == 60
    assert "first 60 of 71" in told
    points, told = shown(page, "budget")
    assert len({point["label"] for point in points}) == 40
    assert "fd_ssm (ε=31)" in {point["label"] for point in points}  # those of least error, not the first of the store
    assert "fd_ssm (ε=30)" not in {point["label"] for point in points}
    assert f"of {STEPS}" in told


def test_lines_join_settings_in_their_own_order(crowded, open_page):
    points, _ = shown(open_page(crowded, "#dtype=float32"), "work_precision")
    steps = [point["label"] for point in sorted((p for p in points if not p["failed"]), key=lambda p: p["rank"])]
    assert steps == [f"fd_ssm (ε={k})" for k in range(1, STEPS + 1)]


def test_words_of_outcomes_do_not_cover_one_another(crowded, open_page):
    page = open_page(crowded, width=390)
    shown(page, "heat_map")
    page.set_viewport_size({"width": 400, "height": 800})
    page.wait_for_timeout(200)
    assert page.evaluate(WIDTHS) >= 290  # it scrolls, and its cells can be read
    points, _ = shown(page, "outcomes")
    assert {point["outcome"] for point in points} == {"ok", "timeout", "crashed", "error"}
    boxes = page.evaluate(BARS)
    assert all(left >= right for (_, right), (left, _) in pairwise(boxes))


def test_a_verdict_over_several_settings_asks_for_one(crowded, open_page):
    page = open_page(crowded, "#tolerance=100")
    assert "choose one" not in page.locator("#verdict .answer").inner_text()
    page.select_option("#filter-dtype", "all")
    assert "choose one precision" in page.locator("#verdict .answer").inner_text()


def test_whole_numbers_are_shown_and_downloaded_in_full(crowded, open_page):
    page = open_page(crowded, "#dtype=float64")
    page.locator("#table").scroll_into_view_if_needed()
    page.click("#table summary")
    page.check("#table .columns label:text-is('seed') input")
    assert "1,472,123,457" in page.locator("#table tbody tr").first.inner_text()
    with page.expect_download() as waiting:
        page.click("#table .csv")
    row = next(csv.DictReader(io.StringIO(waiting.value.path().read_text(encoding="utf-8"))))
    assert (row["peak_step_bytes"], row["seed"]) == ("1472123457", "1234567891")
