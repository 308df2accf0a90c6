"""Tables for papers: one line an estimator and size, in Markdown or LaTeX."""

from __future__ import annotations

import math

import pandas as pd

COLUMNS = {
    "label": "estimator",
    "dim": "D",
    "depth": "depth",
    "order": "T",
    "time_step_s": "step, ms",
    "peak_step_bytes": "memory, MB",
    "rmse": "RMSE",
    "grad_bias": "bias",
    "grad_std": "std",
}
_SCALE = {"time_step_s": 1e3, "peak_step_bytes": 1e-6}
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "ε": r"$\varepsilon$", "σ": r"$\sigma$",
    "<": "$<$", ">": "$>$",
}  # fmt: skip


def table(points: pd.DataFrame, format_: str) -> str:
    """The points as a table, sorted by size and label; what has no number shows its outcome."""
    frame = points.sort_values(["quantity", "order", "dim", "depth", "label"])
    lines = [[_cell(row, column) for column in COLUMNS] for _, row in frame.iterrows()]
    if format_ == "latex":
        return _latex(lines)
    escaped = [[cell.replace("|", "\\|").replace("<", "&lt;") for cell in line] for line in lines]
    head = ["| " + " | ".join(COLUMNS.values()) + " |", "|" + "---|" + "---:|" * (len(COLUMNS) - 1)]
    return "\n".join([*head, *("| " + " | ".join(line) + " |" for line in escaped)]) + "\n"


def _cell(row: pd.Series, column: str) -> str:
    value = row[column]
    if isinstance(value, str):
        return " ".join(value.split())[:80]
    if not row["ok"] and column == "time_step_s":
        return str(row["outcome"]).replace("_", " ")
    if column == "grad_bias" and row["bias_resolved"] is False:
        return f"< {row['grad_bias_high']:.2g}"
    return "–" if value is None or math.isnan(value) else f"{value * _SCALE.get(column, 1):.3g}"


def _latex(lines: list[list[str]]) -> str:
    def row(cells: list[str]) -> str:
        return " & ".join("".join(_LATEX.get(c, c) for c in cell) for cell in cells) + r" \\"

    body = "\n".join(map(row, lines)).replace("–", "--")
    return (
        "\\begin{tabular}{l" + "r" * (len(COLUMNS) - 1) + "}\n\\toprule\n" + row(list(COLUMNS.values()))
        + "\n\\midrule\n" + body + "\n\\bottomrule\n\\end{tabular}\n"
    )  # fmt: skip
