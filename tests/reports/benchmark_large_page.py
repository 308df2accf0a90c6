"""How long a large report takes: `python -m tests.reports.benchmark_large_page [ROWS]`.

Prints seconds to build, to open (until the filters answer), and milliseconds that a change of filter takes until every
visible figure is drawn; the median and the slowest of several.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from reports.frames.rows import from_rows
from reports.pages.build import build
from tests.reports.synthetic_rows import synthetic_rows

CHANGE = """async (changes) => {
    const start = performance.now();
    window.report.state.set(changes);
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    return performance.now() - start;
}"""


def main() -> None:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rows = list(synthetic_rows(seeds=-(-wanted // 256)))[:wanted]
    with tempfile.TemporaryDirectory() as folder:
        start, busy = time.perf_counter(), time.process_time()
        index = build(from_rows(rows), folder, "synthetic")
        wall, cpu = time.perf_counter() - start, time.process_time() - busy
        print(f"{len(rows)} rows: built in {wall:.1f} s ({cpu:.1f} s of CPU)")
        print(f"size: {sum(p.stat().st_size for p in Path(folder).rglob('*') if p.is_file()) / 1e6:.1f} MB")
        with sync_playwright() as playwright:
            executable = os.environ.get("CHROMIUM") or shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport={"width": 1360, "height": 900})
            start = time.perf_counter()
            page.goto(index.resolve().as_uri())
            page.wait_for_selector("html[data-ready]", timeout=120_000)
            print(f"opened in {time.perf_counter() - start:.2f} s")
            page.locator("#work-precision").scroll_into_view_if_needed()
            page.wait_for_timeout(1000)
            changes = [{"quantity": q} for q in ("laplacian", "directional", "score_matching")]
            changes += [{"dim": d} for d in ("16", "64", "all", "196")]
            changes += [{"seed": "all"}, {"depth": "all"}, {"error": "grad_bias"}]
            taken = sorted(page.evaluate(CHANGE, change) for change in changes)
            print(f"a filter answers in {taken[len(taken) // 2]:.0f} ms (median), {taken[-1]:.0f} ms (slowest)")
            browser.close()


if __name__ == "__main__":
    main()
