"""Hostile rows in Chromium: shown, and inert."""

from __future__ import annotations

import pytest

from tests.reports.on_page import SECTIONS, picture

pytestmark = pytest.mark.browser
LONGEST_TEXT = """Math.max(...[...document.querySelectorAll("main *")]
    .filter((e) => !e.children.length && !e.closest("script, pre")).map((e) => e.textContent.length))"""


def test_hostile_rows_render_inert(hostile_report, open_page, screenshots):
    page = open_page(hostile_report)
    for figure in ("work_precision", "budget", "heat_map", "bias_forest", "outcomes"):
        page.locator(f"figure[data-figure={figure}]").scroll_into_view_if_needed()
        page.wait_for_timeout(50)
    page.check("#table-all")
    for details in page.locator("details summary").all():
        if details.is_visible():
            details.click()
    for section in SECTIONS:
        picture(page, section, screenshots)
    assert page.evaluate("window.harmed") is None
    assert page.locator("img, iframe, b:text('bold')").count() == 0
    assert page.locator("script").count() == 3
    assert page.evaluate(LONGEST_TEXT) < 1200
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1")


def test_pages_of_hostile_estimators_stay_in_their_folder_and_inert(hostile_report, open_page):
    folder = hostile_report.parent
    pages = sorted((folder / "estimators").iterdir())
    assert len(pages) == 16
    assert {path.parent for path in folder.rglob("*.html")} == {folder, folder / "estimators"}
    for path in pages:
        page = open_page(path)
        assert page.evaluate("window.harmed") is None
        assert page.locator("script, img").count() == 0
