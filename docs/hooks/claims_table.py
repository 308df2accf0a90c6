"""The ledger below docs/claims.md: every claim with its rule, and the verdict where a store is at hand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mkdocs.structure.pages import Page

from bench.claims.ledger import Entry, chosen, entries_of_rows
from bench.claims.runs import Run
from bench.store import DEFAULT_PATH, Store
from bench.store.latest import latest

PAGE = "claims.md"


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Append the table; BENCH_STORE names the store, by default that of `python -m bench run`."""
    if page.file.src_uri != PAGE:
        return markdown
    path = Path(os.environ.get("BENCH_STORE", DEFAULT_PATH))
    rows, runs = [], []
    if path.is_file():
        with Store(path, must_exist=True) as store:
            rows = list(latest(store.rows(finished_only=True)))
            ended = [run for run in store.training_runs() if run["finished"]]
            runs = [Run(run, tuple(store.training_points(run["key"]))) for run in ended]
    return markdown + ledger(entries_of_rows(chosen(()), rows, runs), measured=bool(rows or runs))


def ledger(entries: list[Entry], *, measured: bool) -> str:
    """The claims, subject by subject."""
    told = "as the store at hand says" if measured else "without verdicts, since no store was at hand"
    parts = [f"\n\n## The ledger\n\nWritten from `bench/claims/`, {told}; `make docs STORE=PATH` takes another."]
    subject = ""
    for entry in entries:
        claim = entry.claim
        if claim.subject != subject:
            subject = claim.subject
            parts.append(f"### {subject.replace('_', ' ').capitalize()}")
        facts = {
            "source": f"{claim.paper}, {claim.place}",
            "paper": f"{claim.figure} ({claim.known})",
            "measured": claim.measures,
            "rule": claim.rule,
        }
        if measured:
            facts["verdict"] = f"{entry.verdict.word}. {entry.verdict.sentence}"
        listed = "\n\n".join(f"{name}\n:   {_plain(text)}" for name, text in facts.items())
        parts.append(
            f"**`{claim.name}`** {_plain(claim.says)}\n\n" + f'<div class="facts" markdown="1">\n\n{listed}\n\n</div>'
        )
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """Text in which nothing is markup but code."""
    parts = text.split("`")
    plain = ("".join(f"&#{ord(c)};" if c in "\\*_[]<>|" else c for c in part) for part in parts)
    return "".join(f"`{parts[i]}`" if i % 2 else part for i, part in enumerate(plain))
