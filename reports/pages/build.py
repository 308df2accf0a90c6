"""Writes the report: one folder that opens from disk with the network off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from reports.frames.points import points
from reports.pages import script
from reports.pages.estimator import estimator_page, page_of
from reports.pages.index import index_page
from reports.palette import marks


class EmptyStoreError(ValueError):
    """There is nothing to report; the message is one line."""


def build(rows: pd.DataFrame, out: str | Path, store: str = "", runs: Sequence[Mapping[str, Any]] = ()) -> Path:
    """Write index.html, a page for each estimator, report.js and report.css into `out`.

    Returns:
        The path of index.html.

    Raises:
        EmptyStoreError: there are no rows.
    """
    if rows.empty:
        raise EmptyStoreError(f"the store {store} holds no rows; `python -m bench run quick` measures some")
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    frame = points(rows)
    index = folder / "index.html"
    _write(index, index_page(frame, store, runs))
    for name, mark in marks(str(name) for name in frame["estimator"]).items():
        _write(folder / page_of(name), estimator_page(name, frame, mark))
    (folder / "report.js").write_text(script.script(), encoding="utf-8")
    (folder / "report.css").write_text(script.style(), encoding="utf-8")
    return index


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
