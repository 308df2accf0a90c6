"""Writes the report: one folder that opens from disk with the network off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from reports.pages import script
from reports.pages.index import index_page


def build(rows: pd.DataFrame, out: str | Path, store: str = "", runs: Sequence[Mapping[str, Any]] = ()) -> Path:
    """Write index.html, report.js and report.css into `out`.

    Returns:
        The path of index.html.

    Raises:
        ValueError: there are no rows.
    """
    if rows.empty:
        raise ValueError(f"the store {store} holds no rows; `python -m bench run quick` measures some")
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    index = folder / "index.html"
    index.write_text(index_page(rows, store, runs), encoding="utf-8", errors="backslashreplace")
    (folder / "report.js").write_text(script.script(), encoding="utf-8")
    (folder / "report.css").write_text(script.style(), encoding="utf-8")
    return index
