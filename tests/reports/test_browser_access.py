"""The page in Chromium by keyboard alone, and on narrow screens."""

from __future__ import annotations

import pytest

from tests.reports.on_page import drawn

pytestmark = pytest.mark.browser
REACHABLE = """(() => {
    const controls = [...document.querySelectorAll("main :is(button, select, input, summary, a, .scroll)")];
    return { hidden_from_keyboard: controls.filter((c) => c.tabIndex < 0).map((c) => c.outerHTML.slice(0, 80)) };
})()"""


def test_the_page_works_by_keyboard_alone(report, open_page):
    page = open_page(report)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator("#filter-quantity").focus()
    page.keyboard.press("d")
    page.keyboard.press("Enter")
    assert page.input_value("#filter-quantity") == "directional"
    page.locator("#verdict tbody button").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("#verdict tr.chosen").count() == 1
    page.locator(".estimators input").first.focus()
    page.keyboard.press("Space")
    hidden = page.locator(".estimators label").first.inner_text().strip()
    assert hidden not in {row["estimator"] for row in drawn(page, "work_precision")}
    page.locator("figure[data-figure=work_precision] summary").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("figure[data-figure=work_precision] details[open] td")


def test_the_tab_key_reaches_every_control_and_shows_where_it_is(report, open_page):
    page = open_page(report)
    reached = page.evaluate(REACHABLE)
    assert reached["hidden_from_keyboard"] == []
    page.locator("#tolerance").focus()
    for expected in ("tolerance-slider", "memory", "ask-dim", "ask-depth", "ask-order"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == expected
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"


@pytest.mark.parametrize("width", [390, 820])
def test_narrow_screens_do_not_scroll_sideways(report, open_page, width):
    page = open_page(report, width=width, height=800)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1")
