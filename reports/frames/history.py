"""Cost and accuracy against commits: one row a commit, point, measure and machine, from stores and from asv's results.

A *series* is one estimator at one point on one machine, in one environment, measured in one way: the only thing that a
line joins. Two machines, two versions of torch or two ways of measuring are never one series.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.columns import COLUMNS as STORE_COLUMNS
from bench.rounds import ratios_to_anchor
from bench.statistics.bootstrap import median_interval
from reports.frames.asv_results import asv_results
from reports.frames.commits import Commit, in_order
from reports.frames.environment import machine_name
from reports.frames.history_measures import MEASURES
from reports.frames.points import points
from reports.frames.rows import from_rows

COLUMNS = (
    *("quantity", "estimator", "label", "dim", "depth", "order", "setting", "machine", "measure", "place", "value"),
    *("low", "high", "resolved", "outcome", "source", "series", "commit"),
)
NOT_COMPARABLE = ("unsupported", "skipped")
ROOT = Path(__file__).parents[2]
_SETTING = [
    column.name
    for column in STORE_COLUMNS
    if column.group == "identity"
    and column.name not in ("quantity", "estimator", "options", "target", "dim", "depth", "order", "probes")
]
_SERIES = ["source", "machine_key", "environment", "method", "quantity", "estimator", "option_key", "target"]
_SERIES += ["dim", "depth", "order", "setting_key", "measure"]


@dataclass(frozen=True)
class History:
    """What is known of earlier commits.

    Attributes:
        rows: with `COLUMNS`; ``place`` counts commits from 0, the oldest; a failed point has no ``value``.
        commits: in their order.
        remarks: what could not be read or placed, in words.
    """

    rows: pd.DataFrame
    commits: list[Commit] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def history(rows: pd.DataFrame, asv: str | Path | None = None, repositories: Sequence[Path] = (ROOT,)) -> History:
    """The history in the rows of stores, all versions of them, and in a folder of asv's results.

    Args:
        rows: typed as by `reports.frames.rows.from_rows`.
        asv: asv's folder of results; None for none.
        repositories: which git repositories know the commits.
    """
    records, remarks = asv_results(asv) if asv is not None else ([], [])
    measured, left_out = _of_stores(rows)
    if left_out:
        remarks.append(f"{left_out} row{'s' * (left_out > 1)} of the stores name no commit and are left out.")
    frame = pd.concat([pd.DataFrame(records), measured], ignore_index=True)
    if frame.empty:
        return History(pd.DataFrame(columns=list(COLUMNS)), [], remarks)
    for name in ("option_key", "setting_key", "target"):
        frame[name] = frame[name].fillna("") if name in frame else ""
    dates = frame.groupby("commit")["date"].min().to_dict()
    commits = in_order(dates, (*repositories, Path(asv)) if asv is not None else repositories)
    frame["place"] = frame["commit"].map({commit.name: place for place, commit in enumerate(commits)})
    frame["machine"] = _told_apart(frame)
    frame["series"] = frame.groupby(_SERIES, sort=False, dropna=False).ngroup()
    frame = frame.sort_values(["series", "place", "date"]).drop_duplicates(["series", "place"], keep="last")
    return History(frame[list(COLUMNS)].reset_index(drop=True), commits, remarks)


def _of_stores(rows: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """A record for each row and measure; and how many rows name no commit."""
    named = rows[rows["commit"].notna() & (rows["commit"] != "")]
    frame = points(named)
    frame = frame[~frame["outcome"].isin(NOT_COMPARABLE)]
    if frame.empty:
        return pd.DataFrame(), len(rows) - len(named)
    varying = [name for name in _SETTING if frame[name].nunique(dropna=False) > 1 or name == "model"]
    dates = pd.to_datetime(frame["started_at"], errors="coerce", utc=True, format="ISO8601")
    common = frame[["quantity", "estimator", "label", "target", "dim", "depth", "order", "outcome", "commit"]].assign(
        source="store",
        date=(dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1),
        machine=[machine_name(fingerprint) for fingerprint in frame["machine"]],
        machine_key=frame["machine"].fillna("unknown"),
        environment=frame["torch_version"].fillna("unknown").astype(str),
        environment_name="torch " + frame["torch_version"].fillna("unknown").astype(str),
        method=frame["method_version"].fillna("").astype(str),
        option_key=frame["options"].map(lambda options: repr(sorted(options.items(), key=lambda item: item[0]))),
        setting=_text(frame, varying),
        setting_key=_text(frame, _SETTING),
    )
    parts = []
    for measure in MEASURES.values():
        value = frame[measure.name].where(frame["ok"])
        low, high = (frame[end] for end in measure.interval) if measure.interval else (np.nan, np.nan)
        if measure.name in ROUNDS:
            low, high = interval_of_rounds(frame, ROUNDS[measure.name])
        unresolved = (frame["bias_resolved"] == False) & (measure.name == "grad_bias")  # noqa: E712
        part = common.assign(measure=measure.name, value=value, low=low, high=high, resolved=~unresolved)
        parts.append(part[value.notna() | ~frame["ok"]])
    return pd.concat(parts, ignore_index=True), len(rows) - len(named)


def _value_rounds(row: Mapping[str, Any]) -> Any:
    return row["extra"].get("time_value_samples")


ROUNDS: dict[str, Callable[[Mapping[str, Any]], Any]] = {"time_value_s": _value_rounds, "time_ratio": ratios_to_anchor}
"""Measures whose interval is that of the median of a row's rounds: how to get those."""


def interval_of_rounds(frame: pd.DataFrame, of: Callable[[Mapping[str, Any]], Any]) -> tuple[list[float], list[float]]:
    """The ends of the 95 % interval of the median of each row's rounds; NaN where they were not kept."""
    ends = []
    for samples, extra in zip(frame["time_samples"], frame.get("extra", [None] * len(frame)), strict=True):
        ends.append((math.nan, math.nan))
        if not isinstance(extra, Mapping):
            continue
        try:
            rounds = of({"time_samples": samples, "extra": extra})
            if isinstance(rounds, list) and len(rounds) > 1 and all(isinstance(r, float) and r > 0 for r in rounds):
                ends[-1] = median_interval(rounds)[1:]
        except (TypeError, ZeroDivisionError):  # a store's JSON may hold anything
            continue
    return [low for low, _ in ends], [high for _, high in ends]


def _text(frame: pd.DataFrame, names: Sequence[str]) -> list[str]:
    def word(name: str, value: Any) -> str:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return str(value) if name in ("model", "data", "activation", "dtype", "device") else f"{name} {value}"

    columns = [[word(name, value)[:60] for value in frame[name].tolist()] for name in names]
    return [", ".join(words) for words in zip(*columns, strict=True)]


def _told_apart(frame: pd.DataFrame) -> list[str]:
    """A name for each source, machine, environment and method, with the environment where one machine has several."""
    keys = ["source", "machine_key", "environment", "method"]
    whole = frame[[*keys, "machine", "environment_name"]].drop_duplicates(keys)
    names: dict[tuple[str, ...], str] = {}
    for row in whole.itertuples(index=False):
        name = f"{row.source}: {row.machine}"[:100]
        alike = whole[(whole["source"] == row.source) & (whole["machine"] == row.machine)]
        if alike["environment"].nunique() > 1:
            name += f", {row.environment_name}"[:80]
        if alike["method"].nunique() > 1:
            name += f", method {row.method}"[:20]
        same = sum(other == name or other.startswith(f"{name} (") for other in names.values())
        names[row.source, row.machine_key, row.environment, row.method] = f"{name} ({same + 1})" if same else name
    return [names[key] for key in frame[keys].itertuples(index=False, name=None)]


def load_rows(stores: Sequence[str | Path]) -> pd.DataFrame:
    """The finished rows of stores, all versions of each; a folder stands for the stores in it.

    Raises:
        StoreError: one is not there, or not ours.
    """
    from bench.store import Store

    files: list[Path] = []
    for path in map(Path, stores):
        files += sorted(path.glob("*.sqlite")) if path.is_dir() else [path]
    rows: list[dict[str, Any]] = []
    for file in dict.fromkeys(files):
        with Store(file, must_exist=True) as store:
            rows += store.rows(finished_only=True)
    return from_rows(rows)
