"""The tables of docs/choose.md: `python -m bench.figures.choice --store STORE` asks `recommend`, and writes them there.

At every size that the store holds, the cheapest estimator whose parameter gradient reaches each of three errors; those
that cannot be told from it beside it. The sweeps behind the page: `quick`, `sliced` and `projections`; `make choice`
measures them and draws the page's figure too.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.claims.claim import NO_BREAK
from bench.recommend import Question, QuestionError, recommend
from bench.store import DEFAULT_PATH, Store
from bench.store.latest import latest
from bench.verbs.recommend import seconds

PAGE = Path(__file__).parents[2] / "docs" / "choose.md"
ERRORS = (0.3, 0.1, 0.01)
QUANTITIES = ("score_matching", "laplacian", "directional")
BEGIN, END = "<!-- measured: {} -->", "<!-- end -->"
MOST_TIES = 2

Row = Mapping[str, Any]


def table(rows: Sequence[Row], quantity: str) -> str:
    """One row a size, one column an error; empty if nothing of the quantity was measured."""
    sizes = sorted({(r["order"], r["depth"], r["dim"]) for r in rows if r["quantity"] == quantity})
    head = ["D", "depth", "order", *(f"error below {error:g}" for error in ERRORS)]
    lines = [head, ["---"] * len(head)]
    settings = set()
    for order, depth, dim in sizes:
        cells = [str(dim), str(depth), str(order)]
        for error in ERRORS:
            cell, held = _best(rows, Question(quantity, dim, depth, order, error))
            cells.append(cell)
            settings.add(held)
        lines.append(cells)
    theirs = [row for row in rows if row["quantity"] == quantity]
    measured = sorted({f"`{row['estimator']}`" for row in theirs})
    among = f"Among {', '.join(measured)}, where each was measured. {_where(theirs)}"
    return "\n".join(
        ["| " + " | ".join(line) + " |" for line in lines] + ["", among + "; ".join(sorted(settings - {""}))]
    )


def _where(rows: Sequence[Row]) -> str:
    """On which machines the rows were measured, when last, and with what."""
    if not rows:
        return ""
    last = max(rows, key=lambda row: str(row["started_at"]))
    machines = {f"{m['cpu']}, {m['cores_logical']} cores" for m in (_machine(row) for row in rows) if m}
    where = " and ".join(sorted(machines)) or "an unknown machine"
    return f"{where}; {str(last['started_at'])[:10]}, torch {last['torch_version']}, commit {str(last['commit'])[:9]}. "


def _machine(row: Row) -> dict[str, Any]:
    try:
        found = json.loads(row["machine"])
    except (TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) and {"cpu", "cores_logical"} <= found.keys() else {}


def _best(rows: Sequence[Row], question: Question) -> tuple[str, str]:
    """The winners with their cost, and the setting they were measured in."""
    size = (question.quantity, question.order, question.depth, question.dim)
    try:  # from rows of this size alone: nothing is extrapolated
        found = recommend([r for r in rows if (r["quantity"], r["order"], r["depth"], r["dim"]) == size], question)
    except QuestionError:
        return "–", ""
    held = ", ".join(f"{k} {v}" for k, v in found.setting.items() if k != "machine" and v != "None")
    if not found.qualified:
        return "none", f"*{held}.*"
    best, *others = found.qualified
    names = [best, *(answer for answer in others if answer.tied)][: 1 + MOST_TIES]
    shown = ", ".join(f"`{_short(answer.label)}`" for answer in names)
    return f"{shown}: {seconds(best.cost_s)}".replace(" ms", NO_BREAK + "ms").replace(
        " µs", NO_BREAK + "µs"
    ), f"*{held}.*"


def _short(label: str) -> str:
    """Without what is usual: one probe, Rademacher's law."""
    options = [o for o in re.findall(r"\w+=\w+", label) if o not in ("M=1", "law=rademacher")]
    name = label.partition(" ")[0]
    return f"{name} {', '.join(options)}" if options else name


def written(page: str, rows: Sequence[Row]) -> str:
    """The page with every table drawn anew from the rows."""
    for quantity in QUANTITIES:
        begin = BEGIN.format(quantity)
        pattern = re.compile(re.escape(begin) + r".*?" + re.escape(END), re.DOTALL)
        new = f"{begin}\n{table(rows, quantity)}\n{END}"
        page = pattern.sub(lambda _, new=new: new, page)  # type: ignore[misc]
    return page


def main() -> None:
    """Read the store, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", default=str(DEFAULT_PATH))
    parser.add_argument("--stage", default="init")
    asked = parser.parse_args()
    with Store(asked.store, must_exist=True) as store:
        rows: list[Row] = [r for r in latest(store.rows(finished_only=True)) if r["stage"] == asked.stage]
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), rows), encoding="utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
