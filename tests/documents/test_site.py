"""The documentation site: built strictly, complete, and without the network, search included."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import estimators
from bench.claims import claims
from estimators.estimator import QUANTITIES

ROOT = Path(__file__).parents[2]
LOADING = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "BENCH_STORE": ""},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


class Loaded(HTMLParser):
    """What a page loads, and the names of its places."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.loads, self.ids = [], set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids.add(given.get("id"))
        address = given.get(LOADING.get(tag, ""))
        if address and not (tag == "link" and given.get("rel") in ("next", "prev")):
            self.loads.append(address)


def test_every_page_loads_files_of_the_site_alone(site):
    pages = sorted(site.rglob("*.html"))
    loaded = {page: Loaded(page).loads for page in pages}
    assert len(pages) > 20 and all(loaded.values())
    elsewhere = [
        (page.name, address)
        for page, addresses in loaded.items()
        for address in addresses
        if page.name != "404.html"  # has absolute addresses: for servers
        if not address.startswith("data:") and not (page.parent / address.partition("?")[0]).is_file()
    ]
    assert elsewhere == []
    imported = [
        address
        for sheet in site.rglob("*.css")
        for address in re.findall(r"(?:@import|url\()\s*[\"']?([^\"')\s]+)", sheet.read_text(encoding="utf-8"))
        if address.startswith(("http", "//"))
    ]
    assert imported == []


def test_every_estimator_has_its_place(site):
    for quantity in QUANTITIES:
        places = Loaded(site / "api" / f"{quantity}.html").ids
        built_in = {name for name in estimators.names(quantity) if estimators.get(name).origin == "estimators"}
        assert built_in <= places, built_in - places


def test_the_ledger_holds_every_claim(site):
    text = (site / "claims.html").read_text(encoding="utf-8")
    assert claims() and [name for name in claims() if f"<code>{name}</code>" not in text] == []


def test_a_list_of_the_repository_keeps_its_items(site):
    text = (site / "CONTRIBUTING.html").read_text(encoding="utf-8")
    steps = text[text.index('id="an-estimator-in-five-steps"') : text.index('id="a-problem"')]
    assert steps.count("<li>") == 5


@pytest.mark.browser
def test_search_finds_from_disk_without_the_network(site, browser):
    asked, said = [], []
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(90_000)
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.goto((site / "index.html").as_uri())
    page.locator("input[name=query]").click()
    page.wait_for_function(
        "!document.querySelector('.md-search-result__meta').textContent.includes('Initializing')"
    )  # what is typed before the index is read is not looked for
    page.keyboard.type("phantom")
    found = page.locator(".md-search-result__link").first
    found.wait_for(state="attached")
    titles = page.locator(".md-search-result__link").evaluate_all("links => links.map(link => link.href)")
    context.close()
    assert any("deq_phantom" in address for address in titles), titles
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:", "blob:"))] == []
    assert said == []
