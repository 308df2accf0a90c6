"""Labels: an estimator with those of its options that vary among the rows at hand, and no others."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import estimators

SYMBOLS = {"probes": "M", "eps": "ε", "sigma": "σ"}
SWEPT = ("probes", "samples", "eps", "sigma")


class Label(NamedTuple):
    """How one row's estimator is told from others."""

    text: str
    """the estimator and its varying options: ``ssm (M=4)``"""
    options: str
    """those options alone: ``M=4``"""
    series: str
    """the text without the options that trade cost for accuracy (probes, steps): one series is one curve"""


def labels(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Label]:
    """The label of each row, from (estimator, options) pairs."""
    rows = list(rows)
    seen: dict[tuple[str, str], set[str]] = defaultdict(set)
    for name, options in rows:
        for option, value in options.items():
            seen[name, option].add(json.dumps(value, default=str))
    swept = {name: {*SWEPT, *declared_step(name)} for name, _ in rows}
    made: dict[tuple[str, str], Label] = {}
    result = []
    for name, options in rows:
        told = {option: value for option, value in options.items() if len(seen[name, option]) > 1}
        key = name, json.dumps(told, default=str)
        if key not in made:
            fixed = {option: value for option, value in told.items() if option not in swept[name]}
            made[key] = Label(_label(name, told), _list(told), _label(name, fixed))
        result.append(made[key])
    return result


def _list(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{SYMBOLS.get(option, option)}={_short(value)}" for option, value in options.items())


def _label(name: str, options: Mapping[str, Any]) -> str:
    return f"{name} ({_list(options)})" if options else str(name)


def _short(value: Any) -> str:
    return "default" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def declared_step(name: str) -> set[str]:
    """The option that the estimator's bias vanishes with, if it declares one."""
    try:
        step = estimators.get(name).step
    except KeyError:
        return set()
    return {step} if step else set()
