"""What asv filed: one record for each commit, point and measure, read from the folder of its results."""

from __future__ import annotations

import ast
import itertools
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asv.results import Results, iter_results_paths
from asv.util import UserError

from reports.frames.history_measures import OF_ASV

PARAMETERS = ("estimator", "dim", "depth", "order")
SETTING = "as asv's suite sets it"
_BENCHMARK = re.compile(r"sweep\.([A-Za-z]+)\.(track_[a-z_]+)")
_BROKEN = (UserError, AttributeError, IndexError, KeyError, OSError, OverflowError, SyntaxError, TypeError, ValueError)


def asv_results(folder: str | Path) -> tuple[list[dict[str, Any]], list[str]]:
    """(records, remarks): every value that asv's results hold of our sweep, and which files could not be read.

    A value that asv holds as NaN is n/a and left out; one without a number is *failed*: asv keeps failed and never
    tried alike.
    """
    records: list[dict[str, Any]] = []
    remarks: list[str] = []
    for root, file, machine in iter_results_paths(str(folder)):
        path = Path(root) / file
        try:
            records += list(_of_commit(Results.load(str(path), machine_name=machine)))
        except _BROKEN as error:
            remarks.append(f"{path.name[:80]} is not asv's: {' '.join(str(error).split())[:120]}")
    if not records:
        remarks.insert(0, f"There are no asv results of our sweep in {folder}; `make asv` makes them.")
    return records, remarks


def _of_commit(results: Results) -> Iterator[dict[str, Any]]:
    facts, versions = dict(results.params), results.benchmark_version
    common = {
        "source": "asv",
        "commit": str(results.commit_hash),
        "date": float(results.date) / 1000,
        "machine": f"{facts.get('machine')}: {facts.get('cpu')}, {facts.get('num_cpu')} cores",
        "machine_key": str(sorted((k, str(facts.get(k))) for k in ("machine", "cpu", "num_cpu", "arch", "os", "gpu"))),
        "environment": str(results.env_name),
        "environment_name": _environment(str(results.env_name), facts),
        "setting": SETTING,
    }
    for name in results.get_all_result_keys():
        benchmark = _BENCHMARK.fullmatch(name)
        values, axes = results._results[name], results.get_result_params(name)
        if benchmark is None or benchmark[2] not in OF_ASV or values is None or len(axes) != len(PARAMETERS):
            continue
        measure = OF_ASV[benchmark[2]]
        statistics = results._stats[name] or [None] * len(values)
        quantity = re.sub(r"(?<!^)(?=[A-Z])", "_", benchmark[1]).lower()
        for point, value, spread in zip(itertools.product(*axes), values, statistics, strict=True):
            if isinstance(value, float) and math.isnan(value):
                continue
            at = dict(zip(PARAMETERS, map(_literal, point), strict=True))
            spread = spread or {}
            low, high = (_finite(spread.get(f"ci_99_{end}")) for end in "ab")
            number = _finite(value)
            yield {
                **common,
                **at,
                "quantity": quantity,
                "label": str(at["estimator"]),
                "measure": measure.name,
                "method": str(versions.get(name)),
                "value": number,
                "low": low,
                "high": high,
                "resolved": not (measure.name == "grad_bias" and number == 0),
                "outcome": "ok" if value is not None else "failed",
            }


def _environment(name: str, facts: dict[str, Any]) -> str:
    """A short name: asv's own hold every pin, or a path. Kind, Python and torch tell most of them apart."""
    python = str(facts.get("python")).rpartition("/")[2]
    torch = f", torch {facts['torch']}" if facts.get("torch") else ""
    return f"{name.partition('-')[0][:20]}, Python {python[:20]}{torch[:30]}"


def _literal(text: str) -> Any:
    """The parameter that asv keeps as its repr."""
    value = ast.literal_eval(text)
    if not isinstance(value, str | int):
        raise ValueError(f"a parameter is {text[:40]}")
    return value


def _finite(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else math.nan
