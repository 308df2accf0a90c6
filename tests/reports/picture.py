"""The README's picture: `python -m tests.reports.picture --store PATH` draws docs/images/report.png anew."""

from __future__ import annotations

import argparse
import io
import os
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from reports.frames.rows import load
from reports.pages.build import build

SECTIONS = ("verdict", "work-precision")
WIDTH = 1180


def main() -> None:
    """Build the page, and put its first sections, as they look on a screen, below one another."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", default="results/bench.sqlite")
    parser.add_argument("--out", default="docs/images/report.png")
    parser.add_argument("--hash", default="", help="the view, as in the page's address: #quantity=…&dim=…")
    arguments = parser.parse_args()
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        index = build(load(arguments.store), folder, arguments.store)
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 2000})
        page.goto(index.resolve().as_uri() + arguments.hash)
        page.wait_for_selector("figure[data-figure=work_precision][data-drawn=yes]")
        page.wait_for_timeout(500)
        boxes = [page.locator(f"#{section}").bounding_box() for section in SECTIONS]
        top, last = boxes[0], boxes[-1]
        clip = {"x": 0, "y": top["y"], "width": WIDTH, "height": last["y"] + last["height"] - top["y"]}
        shot = Image.open(io.BytesIO(page.screenshot(clip=clip, full_page=True)))
        shot.convert("RGB").save(arguments.out, optimize=True)
        browser.close()
    print(f"{arguments.out}: {Path(arguments.out).stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
