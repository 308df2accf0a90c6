"""The page in Chromium: filters, verdict, hover, table, deep links; offline, and without a console error."""

from __future__ import annotations

import csv
import io
import math
import re

import numpy as np
import pytest
from scipy.stats import linregress

from bench.recommend import Question, recommend
from reports.figures import residuals
from reports.frames.points import points
from reports.frames.rows import from_rows
from reports.pages.build import build
from tests.reports.on_page import SECTIONS, drawn, picture
from tests.reports.synthetic_rows import synthetic_rows

pytestmark = pytest.mark.browser
ANSWERS = """([dim, depth, order, error, memory]) => {
    const { ranked, refused } = window.report.answers({ dim, depth, order }, error, memory);
    const told = ranked.map((r) => [r.label, r.calls, r.cost, r.tied, r.cost_low, r.cost_high]);
    return { ranked: told, refused: refused.map((r) => r.label) };
}"""
FIRST_MACHINE = "window.report.data.columns.machine[0]"
COLUMN_PLACE = """[...document.querySelectorAll("#table th button")]
    .findIndex((b) => b.dataset.column === "time_step_s")"""


def downloaded(waiting):
    return list(csv.DictReader(io.StringIO(waiting.value.path().read_text(encoding="utf-8"))))


def choose(page, facet, value):
    page.select_option(f"#filter-{facet}", value)


def test_every_section_is_there_and_draws(report, open_page, screenshots):
    page = open_page(report)
    for section in SECTIONS:
        picture(page, section, screenshots)
        assert page.locator(f"#{section}").bounding_box()["height"] > 60
    figures = ("work_precision", "budget", "scaling_dim", "scaling_depth", "residuals", "heat_map", "bias_forest")
    for figure in (*figures, "convergence", "memory", "outcomes"):
        assert drawn(page, figure), figure
        label = page.locator(f"figure[data-figure={figure}] .plot").get_attribute("aria-label")
        assert re.search(r"\d", label)


def test_one_set_of_filters_drives_every_figure(report, open_page):
    page = open_page(report)
    choose(page, "quantity", "laplacian")
    names = {"forward_laplacian", "hessian_trace", "hutchinson", "hvp_loop"}
    for figure in ("work_precision", "budget", "heat_map", "bias_forest", "outcomes"):
        assert {row["estimator"] for row in drawn(page, figure)} <= names
    choose(page, "dim", "16")
    columns = "window.report.data.columns"
    assert {page.evaluate(f"{columns}.dim[{row['row']}]") for row in drawn(page, "work_precision")} == {16}
    page.locator(".estimators label", has_text="hvp_loop").locator("input").uncheck()
    assert "hvp_loop" not in {row["estimator"] for row in drawn(page, "work_precision")}
    page.locator("#table").scroll_into_view_if_needed()
    page.wait_for_selector("#table tbody tr")
    assert "hvp_loop" not in page.locator("#table tbody").inner_text()


def test_failures_are_drawn_and_unresolved_biases_reach_down_to_the_axis(report, open_page):
    page = open_page(report, "#quantity=laplacian&dim=784&depth=8&error=grad_bias&machine=all")
    rows = drawn(page, "work_precision")
    assert {row["outcome"] for row in rows if row["failed"]} == {"out_of_memory", "timeout", "unsupported"}
    unresolved = [row for row in rows if row["open"]]
    domain = page.evaluate("window.report.views['work_precision'].signal('y_domain')")
    assert unresolved
    assert all(row["y_low"] == domain[0] and row["y"] == row["y_high"] for row in unresolved)


@pytest.mark.parametrize("error", [0.003, 0.1, 0.5])
@pytest.mark.parametrize("memory", [None, 5e6])
def test_the_page_answers_as_the_function_does(rows_only_report, open_page, error, memory):
    page = open_page(rows_only_report)
    for quantity, dim, depth, order in (
        ("score_matching", 64, 2, 2), ("score_matching", 100, 4, 2), ("laplacian", 784, 8, 2),
        ("laplacian", 2000, 3, 2), ("directional", 16, 8, 4), ("directional", 40, 5, 3),
    ):  # fmt: skip
        told = recommend(synthetic_rows(), Question(quantity, dim, depth, order, error, memory))
        everywhere = {"quantity": quantity, "dim": "all", "depth": "all", "order": "all"}
        page.evaluate("view => window.report.state.set(view)", everywhere)
        answer = page.evaluate(ANSWERS, [dim, depth, order, error, memory or 0])
        expected = [[a.label, a.calls, a.cost_s, a.tied, a.cost_low_s, a.cost_high_s] for a in told.qualified]
        assert [r[0] for r in answer["ranked"]] == [r[0] for r in expected]
        for (_, calls, cost, tied, *ends), (_, calls_, cost_, tied_, *ends_) in zip(
            answer["ranked"], expected, strict=True
        ):
            assert tied == tied_
            # numbers are embedded with six digits
            assert math.isclose(calls, calls_, rel_tol=3e-4, abs_tol=0.1)
            assert [cost, *ends] == pytest.approx([cost_, *ends_], rel=3e-4)
        known = {a.label for a in told.refused if a.basis != "none"}
        assert set(answer["refused"]) == known


def test_of_several_seeds_one_row_of_each_label_answers(open_page, tmp_path):
    rows = [row for row in synthetic_rows(seeds=2) if (row["quantity"], row["depth"]) == ("score_matching", 2)]
    page = open_page(build(from_rows(rows), tmp_path), "#seed=all")
    answer = page.evaluate(ANSWERS, [64, 2, 2, 0.1, 0])
    told = recommend(rows, Question("score_matching", 64, 2, 2, 0.1))
    assert [r[0] for r in answer["ranked"]] == [a.label for a in told.qualified]
    assert len(answer["ranked"]) + len(answer["refused"]) == len({(r["estimator"], str(r["options"])) for r in rows})


def test_an_unknown_memory_does_not_qualify_under_a_limit_on_the_page(open_page, tmp_path):
    rows = [row | {"peak_step_bytes": None} for row in synthetic_rows() if row["quantity"] == "score_matching"]
    page = open_page(build(from_rows(rows), tmp_path))
    page.evaluate("view => window.report.state.set(view)", {"dim": "all", "depth": "all", "order": "all"})
    for size in ((64, 2, 2), (100, 4, 2)):
        answers = "([dim, depth, order]) => window.report.answers({ dim, depth, order }, 10, 1e12)"
        answer = page.evaluate(answers, list(size))
        assert answer["ranked"] == []
        assert {refused["why"] for refused in answer["refused"]} == {"memory unknown"}


def marked(rows):
    """The rows of one size, as a run leaves them: each third withdrew its prediction, each timing has its mark."""
    fine = [row for row in rows if (row["quantity"], row["dim"], row["depth"]) == ("score_matching", 64, 2)]
    for place, row in enumerate(fine):
        if place % 3 == 0:
            extra = {"no_prediction": "withdrawn: 3 bytes on fake tensors, 9 measured"}
            row = row | {"predicted_peak_bytes": None}
        else:
            extra = {"no_prediction": "not supported"} if place % 3 == 1 else {}
        noisy = place == 4
        yield row | {"extra": extra | {
            "quality": "noisy" if noisy else "stable", "quality_reason": "the device throttled" if noisy else "",
        }} | {"time_step_low_s": 0.8 * row["time_step_s"]}  # fmt: skip


def test_withdrawn_predictions_are_counted_beside_the_error(open_page, tmp_path):
    rows = list(marked(synthetic_rows()))
    withdrawn = len(rows[::3])
    page = open_page(build(from_rows(rows), tmp_path))
    assert drawn(page, "memory")
    told = page.locator("#memory-section").inner_text()
    assert f"{withdrawn} of {len(rows)} predictions were withdrawn" in told
    assert f"in the median of {len(rows) - withdrawn} points" in told


def test_quality_is_the_rows_own_mark_and_the_width_only_where_there_is_none(open_page, tmp_path):
    rows = list(marked(synthetic_rows()))
    page = open_page(build(from_rows(rows), tmp_path / "marked"))
    page.locator("#quality").scroll_into_view_if_needed()
    page.wait_for_selector("#quality tbody tr")
    text = page.locator("#quality tbody").inner_text()
    assert text.count("noisy: the device throttled") == 1
    assert "time known to" not in text
    page = open_page(build(from_rows([row | {"extra": None} for row in rows]), tmp_path / "bare"))
    page.locator("#quality").scroll_into_view_if_needed()
    page.wait_for_selector("#quality tbody tr")
    assert page.locator("#quality tbody tr", has_text="time known to").count() == len(rows)


def test_the_verdict_follows_its_fields_and_slider(report, open_page):
    page = open_page(report, "#quantity=score_matching&dim=784&depth=2&machine=all")
    lead = page.locator("#verdict .lead")
    before = lead.inner_text()
    assert "interval from the step time alone" in page.locator("#verdict .answer").inner_text()
    page.fill("#tolerance", "0.01")
    page.press("#tolerance", "Enter")
    assert lead.inner_text() != before
    assert "sm_exact" in lead.inner_text()
    page.locator("#tolerance-slider").focus()
    page.keyboard.press("End")
    assert page.input_value("#tolerance") == "100"
    page.fill("#ask-dim", "2000")
    page.press("#ask-dim", "Enter")
    assert "an extrapolation by a factor of" in page.locator("#verdict .caution").inner_text()
    page.fill("#memory", "0.0001")
    page.press("#memory", "Enter")
    assert "too heavy" in page.locator("#verdict .answer").text_content()


def test_the_pointer_tells_what_a_mark_is(report, open_page):
    page = open_page(report)
    figure = page.locator("figure[data-figure=work_precision]")
    figure.scroll_into_view_if_needed()
    mark = figure.locator("svg .mark-symbol path").last
    mark.wait_for()
    mark.hover(force=True)
    tooltip = page.locator("#tooltip")
    tooltip.wait_for(state="visible")
    assert "step time" in tooltip.inner_text()


def test_the_table_sorts_searches_pages_and_downloads(report, open_page):
    page = open_page(report)
    page.check("#table-all")
    count = page.locator("#table .count")
    page.wait_for_function(
        "document.querySelector('#table .count').textContent.startsWith(window.report.data.length.toLocaleString('en'))"
    )
    total = int(re.match(r"[\d,]+", count.inner_text()).group().replace(",", ""))
    assert total == page.evaluate("window.report.data.length")
    page.click("#table .next")
    assert "page 2 of" in count.inner_text()
    page.click("#table button[data-column=time_step_s]")
    page.keyboard.press("Enter")
    header = page.locator("#table th", has=page.locator("button[data-column=time_step_s]"))
    assert header.get_attribute("aria-sort") == "descending"
    place = page.evaluate(COLUMN_PLACE)
    times = [float(t) for t in page.locator(f"#table tbody td:nth-child({place + 1})").all_inner_texts()]
    assert times == sorted(times, reverse=True)
    page.fill("#table input[type=search]", "traceback")
    assert page.locator("#table tbody tr").count() == 4
    page.locator("#table details summary").click()
    page.locator("#table .columns label", has_text="torch_version").locator("input").check()
    assert page.locator("#table button[data-column=torch_version]").count() == 1
    with page.expect_download() as waiting:
        page.click("#table .csv")
    rows = downloaded(waiting)
    assert len(rows) == 4
    assert {row["outcome"] for row in rows} == {"error"}
    assert rows[0]["torch_version"] == "2.13.0"


def test_the_data_behind_a_figure_downloads(report, open_page):
    page = open_page(report)
    figure = page.locator("figure[data-figure=work_precision]")
    figure.locator("details.data summary").click()
    with page.expect_download() as waiting:
        figure.locator("details.data button").click()
    rows = downloaded(waiting)
    assert {"label", "x", "x_low", "x_high", "y", "y_low", "y_high", "resolved"} <= set(rows[0])


def test_a_link_shares_the_view(report, open_page):
    page = open_page(report)
    choose(page, "quantity", "directional")
    choose(page, "order", "4")
    page.select_option("#work-precision select[data-state=cost]", "peak_step_bytes")
    page.locator(".estimators label", has_text="taylor").locator("input").uncheck()
    hash_ = page.evaluate("location.hash")
    again = open_page(report, hash_)
    assert again.input_value("#filter-quantity") == "directional"
    assert again.input_value("#filter-order") == "4"
    assert again.input_value("#work-precision select[data-state=cost]") == "peak_step_bytes"
    assert drawn(again, "work_precision") == drawn(page, "work_precision")
    again.click("text=Reset the view")
    assert again.evaluate("location.hash") == ""


def test_a_link_that_names_a_quantity_alone_shows_what_was_measured_of_it(report, open_page):
    page = open_page(report, "#quantity=directional&order=6")
    assert page.input_value("#filter-dim") in ("16", "64")
    assert page.input_value("#filter-order") == "6"
    assert drawn(page, "work_precision")


def test_a_broken_link_shows_the_page_all_the_same(report, open_page):
    page = open_page(report, "#quantity=nonsense&dim=%3Cscript%3E&tolerance=abc&error=constructor&hide=%25E0%25A4")
    assert page.locator("#verdict .answer").inner_text()


def test_exponents_are_least_squares_with_their_intervals(report, open_page):
    page = open_page(report, "#quantity=score_matching&depth=2&machine=all")
    page.evaluate("view => window.report.state.set(view)", {"machine": page.evaluate(FIRST_MACHINE)})
    page.locator("table.exponents").scroll_into_view_if_needed()
    page.wait_for_selector("table.exponents tbody tr")
    line = page.locator("table.exponents tbody tr", has_text="sm_exact").locator("td").all_inner_texts()
    rows = [r for r in synthetic_rows() if r["estimator"] == "sm_exact" and r["depth"] == 2]
    found = linregress(np.log([r["dim"] for r in rows]), np.log([r["time_step_s"] for r in rows]))
    slope, half = (float(number) for number in line[1].split(" ± "))
    assert slope == pytest.approx(found.slope, rel=0.01)
    assert half == pytest.approx(4.303 * found.stderr, rel=0.02)
    assert line[2] and "±" not in line[2]  # two depths have a slope and no interval


def test_residuals_and_convergence_are_the_figures_data(report, open_page):
    page = open_page(report, "#quantity=score_matching&dim=64&depth=8")
    shown = {row["label"]: (row["x"], row["y"]) for row in drawn(page, "convergence")}
    row = next(r for r in synthetic_rows() if (r["estimator"], r["dim"], r["depth"]) == ("ssm", 64, 8))
    assert shown["ssm (M=1)"] == pytest.approx(row["extra"]["grad_convergence"][-1], rel=1e-5)
    page.evaluate("view => window.report.state.set(view)", {"machine": page.evaluate(FIRST_MACHINE)})
    fine = [r for r in synthetic_rows() if r["quantity"] == "score_matching" and r["outcome"] == "ok"]
    expected = residuals.data(points(from_rows(fine)))
    ratios = sorted(row["y"] for row in drawn(page, "residuals"))
    assert ratios == pytest.approx(sorted(expected["y"]), rel=1e-4)


def test_two_precisions_stand_side_by_side(open_page, tmp_path):
    rows = [r for r in synthetic_rows() if (r["quantity"], r["dim"], r["depth"]) == ("laplacian", 64, 2)]
    double = [r | {"dtype": "float64", "time_step_s": 2 * r["time_step_s"], "grad_bias": 1e-12} for r in rows]
    page = open_page(build(from_rows(rows + double), tmp_path))
    page.locator("#bias").scroll_into_view_if_needed()
    page.wait_for_selector("#precisions tbody tr")
    line = page.locator("#precisions tbody tr", has_text="hvp_loop").locator("td").all_inner_texts()
    assert line[2:] == ["float32 / float64", "1.0e-7", "1.0e-12", "2.0e-7", "0.5", "1"]
    alone = open_page(build(from_rows(rows), tmp_path / "alone"))
    alone.locator("#bias").scroll_into_view_if_needed()
    alone.wait_for_timeout(100)
    assert not alone.locator("#precisions").is_visible()


def test_every_outcome_of_two_machines_is_on_the_page(report, open_page, screenshots):
    page = open_page(report)
    ends = set()
    for quantity in ("score_matching", "laplacian", "directional"):
        choose(page, "quantity", quantity)
        ends |= {row["outcome"] for row in drawn(page, "outcomes")}
        (screenshots / quantity).mkdir(exist_ok=True)
        for section in ("heat", "outcomes"):
            picture(page, section, screenshots / quantity)
    assert len(ends) == 8
    picture(page, "environment", screenshots)
    environment = page.locator("#environment")
    assert environment.locator("tr.differs").count() >= 1
    assert "≠" in environment.inner_text()
    assert "Another CPU" in environment.inner_text()
    assert page.locator("#filter-machine option").count() == 3


def test_an_estimator_has_a_page_with_its_formula_points_and_failures(report, open_page):
    page = open_page(report.parent / "estimators" / "ssm_vr.html")
    text = page.locator("body").inner_text()
    assert "‖" in page.locator(".formula").inner_text()
    assert "crashed" in text and "the worker ended with signal 11" in page.locator("body").text_content()
    page.click("text=See it beside the others")
    page.wait_for_selector("html[data-ready]")
