"""The environment: what each machine says of itself, side by side, differences marked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

_PER_MACHINE = ("torch_version", "device", "threads", "commit", "method_version")
_LONGEST = 400


def environment(rows: pd.DataFrame) -> dict[str, Any]:
    """``machines`` (name, points), ``lines`` (name, one value per machine, whether they differ), ``older_rows``."""
    machines, facts = [], []
    for fingerprint, group in rows.assign(machine=rows["machine"].fillna("unknown")).groupby("machine", sort=True):
        described = describe(fingerprint)
        for column in _PER_MACHINE:
            described[column] = ", ".join(sorted({_text(value) for value in group[column].dropna()}))
        described["limits of a point"] = " or ".join(_limits(group))
        times = sorted(group["started_at"].dropna())
        described["first point"], described["last point"] = (times[0], times[-1]) if times else ("", "")
        machines.append({"name": machine_name(fingerprint), "points": len(group)})
        facts.append(described)
    names = list(dict.fromkeys(name for fact in facts for name in fact))
    lines = []
    for name in names:
        values = [_text(fact.get(name, ""))[:_LONGEST] for fact in facts]
        timed = name in ("first point", "last point")
        lines.append({"name": name, "values": values, "differs": len(set(values)) > 1 and not timed})
    differs = any(line["differs"] for line in lines)
    return {"machines": machines, "lines": lines, "differs": differs, "older_rows": rows.attrs.get("older_rows", 0)}


def _limits(group: pd.DataFrame) -> list[str]:
    """What a point was allowed, and how it was held to it, in the rows' own words."""
    told = (facts.get("limits") for facts in group.get("extra", []) if isinstance(facts, Mapping))
    return sorted({words for words in told if isinstance(words, str)})


def describe(fingerprint: str | None) -> dict[str, Any]:
    """The fingerprint's facts, nested ones flattened; text that is no JSON object is one fact."""
    try:
        facts = json.loads(fingerprint or "")
    except ValueError:
        facts = None
    if not isinstance(facts, dict):
        return {"machine": fingerprint or "unknown"}
    flat: dict[str, Any] = {}
    for name, value in facts.items():
        flat |= {f"{name} {inner}": v for inner, v in value.items()} if isinstance(value, dict) else {name: value}
    return flat


def machine_name(fingerprint: str | None) -> str:
    """A short name: the GPU or the processor, and the number of cores."""
    facts = describe(fingerprint)
    gpus = facts.get("gpus")
    if isinstance(gpus, list) and gpus:
        return str(gpus[0])[:80]
    chosen = [
        facts[name] for name in ("gpu", "cpu", "cpu_model", "processor", "machine") if isinstance(facts.get(name), str)
    ]
    cores = next(
        (facts[name] for name in ("cores", "cores_logical", "cpu_count") if isinstance(facts.get(name), int)), None
    )
    name = chosen[0] if chosen else next((v for v in facts.values() if isinstance(v, str)), "unknown")
    return name[:80] + (f", {cores} cores" if cores else "")


def _text(value: Any) -> str:
    if value in ("", [], None):
        return "–"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value, default=str)
