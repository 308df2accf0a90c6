"""How large and how fast the report is: `python -m tests.reports.benchmark_page [--store PATH] [--rows N]`.

Builds the page of a store (by default of rows like the sweep quick's) and one of N synthetic rows (by default 100 000),
opens both in Chromium, and prints what was wanted and what was measured. A filter has answered when every visible
figure is drawn.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from reports.frames.rows import from_rows, load
from reports.pages.build import build
from tests.reports.synthetic_rows import synthetic_rows

CHANGE = """async (changes) => {
    const start = performance.now();
    window.report.state.set(changes);
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    return performance.now() - start;
}"""
CHANGES = (
    *({"quantity": q} for q in ("laplacian", "directional", "score_matching")),
    *({"dim": d} for d in ("16", "64", "all", "196")),
    *({"seed": "all"}, {"depth": "all"}, {"error": "grad_bias"}),
)
OPENINGS, REPEATS = 5, 3


def main() -> None:
    """Measure both pages."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", help="the store of the small page")
    parser.add_argument("--rows", type=int, default=100_000, help="of the large page")
    arguments = parser.parse_args()
    small = load(arguments.store) if arguments.store else from_rows(list(synthetic_rows())[:100])
    large = from_rows(list(synthetic_rows(seeds=-(-arguments.rows // 256)))[: arguments.rows])
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        for name, rows, build_s, open_s in (("small", small, 5, 1), ("large", large, 30, 3)):
            out = Path(folder) / name
            index, took = _timed(partial(build, rows, out, name))
            size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 1e6
            print(f"{name} page, {len(rows)} rows")
            print(f"  size      {size:6.1f} MB" + ("   (wanted: below 3)" if name == "small" else ""))
            print(f"  built in  {took:6.2f} s    (wanted: below {build_s})")
            opened = statistics.median(_opened(browser, index) for _ in range(OPENINGS))
            print(f"  opens in  {opened:6.2f} s    (wanted: below {open_s}; median of {OPENINGS})")
            taken = _filters(browser, index)
            middle, worst = statistics.median(taken.values()), max(taken, key=taken.__getitem__)
            print(f"  filters   {middle:6.0f} ms   (wanted: below 200; slowest {taken[worst]:.0f} ms: {worst})")
        browser.close()


def _timed(work):
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def _open(browser: Browser, index: Path) -> Page:
    page = browser.new_page(viewport={"width": 1360, "height": 900})
    page.goto(index.resolve().as_uri())
    page.wait_for_selector("html[data-ready]", timeout=120_000)
    return page


def _opened(browser: Browser, index: Path) -> float:
    """Seconds until the filters answer."""
    page, took = _timed(lambda: _open(browser, index))
    page.close()
    return took


def _filters(browser: Browser, index: Path) -> dict[str, float]:
    """Milliseconds of each change, the median of a few visits."""
    visits: list[list[float]] = []
    for _ in range(REPEATS):
        page = _open(browser, index)
        page.locator("#work-precision").scroll_into_view_if_needed()
        page.wait_for_timeout(1000)
        visits.append([page.evaluate(CHANGE, change) for change in CHANGES])
        page.close()
    return {str(change): statistics.median(visit[k] for visit in visits) for k, change in enumerate(CHANGES)}


if __name__ == "__main__":
    main()
