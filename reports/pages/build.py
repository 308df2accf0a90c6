"""Writes the report: one folder that opens from disk with the network off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from reports.frames.history import History
from reports.frames.history import history as history_of
from reports.frames.points import points
from reports.frames.samples import Gallery
from reports.frames.training import nothing as no_training
from reports.pages import script
from reports.pages.claims import PAGE as CLAIMS_PAGE
from reports.pages.claims import claims_page, ledger
from reports.pages.estimator import estimator_page, page_of
from reports.pages.history import PAGE as HISTORY_PAGE
from reports.pages.history import history_page
from reports.pages.index import index_page
from reports.pages.training import PAGE as TRAINING_PAGE
from reports.pages.training import training_page
from reports.palette import marks


class EmptyStoreError(ValueError):
    """There is nothing to report; the message is one line."""


def build(
    rows: pd.DataFrame,
    out: str | Path,
    store: str = "",
    runs: Sequence[Mapping[str, Any]] = (),
    history: History | None = None,
    training: pd.DataFrame | None = None,
    galleries: Sequence[Gallery] = (),
) -> Path:
    """Write index.html, training.html, history.html, claims.html, a page for each estimator, report.js and report.css.

    Without a `history`, that of the rows is shown. Of a store that holds training runs alone, their page is all.

    Returns:
        The path of index.html, or of training.html where that is all.

    Raises:
        EmptyStoreError: there are no rows and no training runs.
    """
    trained = no_training() if training is None else training
    if rows.empty and trained.empty:
        raise EmptyStoreError(f"the store {store} holds no rows; `python -m bench run quick` measures some")
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.js").write_text(script.script(), encoding="utf-8")
    (folder / "report.css").write_text(script.style(), encoding="utf-8")
    _write(folder / TRAINING_PAGE, training_page(trained, rows.empty, galleries))
    if rows.empty:
        return folder / TRAINING_PAGE
    frame = points(rows)
    index = folder / "index.html"
    _write(index, index_page(frame, store, runs))
    _write(folder / HISTORY_PAGE, history_page(history_of(rows) if history is None else history))
    shown = marks(str(name) for name in frame["estimator"])
    _write(folder / CLAIMS_PAGE, claims_page(ledger(rows, trained), [page_of(name) for name in shown]))
    for name, mark in shown.items():
        _write(folder / page_of(name), estimator_page(name, frame, mark))
    return index


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
