"""The page's sections, and what its tests do with it."""

from __future__ import annotations

SECTIONS = (
    *("verdict", "work-precision", "budget", "scaling", "heat", "bias", "step-size", "memory-section", "compare"),
    *("outcomes", "quality", "environment", "table"),
)


def drawn(page, figure):
    """The rows that a figure has drawn."""
    page.locator(f"figure[data-figure={figure}]").scroll_into_view_if_needed()
    page.wait_for_selector(f"figure[data-figure={figure}][data-drawn=yes]")
    return page.evaluate(f"window.report.views['{figure}'].data('points')")


def picture(page, section, folder):
    place = page.locator(f"#{section}")
    place.scroll_into_view_if_needed()
    page.wait_for_timeout(60)
    place.screenshot(path=folder / f"{section}.png")
