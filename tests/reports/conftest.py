from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest

from reports.frames.points import points
from reports.frames.rows import from_rows
from reports.pages.build import build
from tests.reports.hostile_rows import hostile_rows
from tests.reports.synthetic_rows import synthetic_rows

RUN = {"title": "t", "command": "python -m bench run quick", "started": "2026-01-01", "commit": "abc", "seeds": [0]}


@pytest.fixture(scope="session")
def rows():
    return from_rows(synthetic_rows())


@pytest.fixture(scope="session")
def frame(rows):
    return points(rows)


@pytest.fixture(scope="session")
def report(rows, tmp_path_factory):
    """The synthetic report on disk, from two machines."""
    return build(two_machines(rows), tmp_path_factory.mktemp("report"), "results/synthetic.sqlite", [RUN])


@pytest.fixture(scope="session")
def rows_only_report(rows, tmp_path_factory):
    """The synthetic report of one machine."""
    return build(rows, tmp_path_factory.mktemp("one_machine"), "results/synthetic.sqlite")


@pytest.fixture(scope="session")
def hostile_report(tmp_path_factory):
    return build(from_rows(hostile_rows()), tmp_path_factory.mktemp("hostile"), "<script>", [RUN | {"command": "<b>x"}])


def two_machines(rows):
    other = rows[(rows["dim"] == 64) & (rows["depth"] == 2)].copy()
    other["machine"] = json.dumps({"cpu": "Another CPU", "cores": 64, "os": "Linux"})
    return pd.concat([rows, other], ignore_index=True)


@pytest.fixture
def screenshots(request, tmp_path):
    """A folder for pictures to look at: one for each test below `SCREENSHOTS`, else the test's own."""
    kept = os.environ.get("SCREENSHOTS")
    folder = Path(kept) / request.node.name if kept else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def open_page(browser):
    """Opens a file; any request that leaves, any console error and any script error fails the test."""
    contexts, problems = [], []

    def open_(path, hash_="", width=1360, height=900):
        context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True)
        contexts.append(context)
        context.set_offline(True)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on(
            "request", lambda r: r.url.startswith(("file:", "blob:", "data:")) or problems.append(f"request {r.url}")
        )
        page.on("console", lambda m: m.type in ("error", "warning") and problems.append(f"console: {m.text}"))
        page.on("pageerror", lambda e: problems.append(f"script error: {e}"))
        page.on("dialog", lambda d: (problems.append(f"dialog: {d.message}"), d.dismiss()))
        page.goto(path.resolve().as_uri() + hash_)
        if path.name == "index.html":
            page.wait_for_selector("html[data-ready]")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert problems == []
