"""From studies to points: the product of all axes, less what is ruled out, each with its reason."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import estimators
from bench.point import Point, ProblemSpec
from bench.sweep import vocabulary
from bench.sweep.axes import AXES, POINT_AXES, PROBLEM_AXES
from bench.sweep.rules import check_names
from bench.sweep.study import Entry, Study
from estimators.arguments import check_options

ALL = "*"  # among a study's estimators: all others of its quantity, with their defaults
_WALKED = [axis for axis in AXES if axis != "probes"]  # probes are walked with the estimators' options


@dataclass
class Expansion:
    """What a sweep comes to: the points to measure, and those ruled out, each with its reason."""

    points: list[Point] = field(default_factory=list)
    skips: list[tuple[Point, str]] = field(default_factory=list)


def expand(studies: Sequence[Study], added: Iterable[str] = (), models: Iterable[str] = ()) -> Expansion:
    """All points of the studies, problem by problem.

    Args:
        studies: what to expand.
        added: names of plugins' estimators, which join every study of their quantity.
        models: names of plugins' models, which join every study, unless one of them names them.

    Raises:
        SweepError: an unknown name, an impossible value, a value at which nothing could run, or duplicate points.
    """
    expansion = Expansion()
    seen: dict[str, str] = {}
    named = {model for study in studies for model in study.grid["model"]}
    joining_models = [model for model in models if model not in named]
    for study in studies:
        listed = {entry.name for entry in study.entries}
        joining = [name for name in _joining(study, added) if name not in listed]
        entries = [(entry, _options(study, entry)) for entry in study.entries if entry.name != ALL]
        entries += [(entry := Entry(name), _options(study, entry)) for name in joining]
        options = {option for entry, _ in entries for option in estimators.get(entry.name).options}
        for rule in study.rules:
            check_names(rule, study.source, options)
        runnable = _Runnable(study, added=frozenset(joining))
        for point, entry, objection in _points(study, entries, joining_models):
            line = point.to_json()
            if line in seen:
                study.refuse("estimators", point.estimator, f"duplicate point: {point.label} is in the sweep twice")
            seen[line] = point.label
            reason = objection or _misfit(point)
            if point.problem.model not in joining_models:
                runnable.note(point, entry, reason)
            ruled_out = reason or next((r.reason for r in study.rules if r.holds(_facts(point))), "")
            ruled_out = ruled_out or _repeats(point, study)
            if ruled_out:
                expansion.skips.append((point, ruled_out))
            else:
                expansion.points.append(point)
        runnable.check()
    return expansion


def _joining(study: Study, added: Iterable[str]) -> list[str]:
    """The estimators that a study does not name but takes: plugins' ones, and with ``"*"`` all of its quantity."""
    if any(entry.name == ALL for entry in study.entries):
        return list(estimators.names(quantity=study.quantity))
    return [name for name in added if estimators.get(name).quantity == study.quantity]


def _options(study: Study, entry: Entry) -> list[dict[str, Any]]:
    """All combinations of an entry's options, over the defaults, checked by the estimator itself."""
    try:
        estimator = estimators.get(entry.name)
    except KeyError as error:
        study.refuse("estimators", entry.name, error.args[0])
    if estimator.quantity != study.quantity:
        study.refuse(
            "estimators", entry.name, f"{entry.name} estimates {estimator.quantity}; this study is of {study.quantity}"
        )
    axes: dict[str, list[Any]] = dict(entry.options)
    probes = [value for value in study.grid["probes"] if value is not None]
    if probes and "probes" in estimator.options:
        axes.setdefault("probes", probes)
    combinations = []
    for values in itertools.product(*axes.values()):
        given = {
            name: _like(name, value, estimator.options.get(name)) for name, value in zip(axes, values, strict=True)
        }
        try:
            combinations.append(check_options(estimator, given))
        except ValueError as error:
            study.refuse("estimators", entry.name, _with_name(str(error), entry.name))
        for name, value in given.items():
            default = estimator.options[name]
            if default is not None and type(value) is not type(default):
                study.refuse(
                    "estimators",
                    entry.name,
                    f"option {name} of {entry.name} has to be of type {type(default).__name__}, as its default "
                    f"{default!r}; got {value!r}",
                )
    return combinations


def _with_name(message: str, name: str) -> str:
    return message if name in message else f"{name}: {message}"


def _like(name: str, value: Any, default: Any) -> Any:
    """A whole number as a float where the option is one, so that 1 and 1.0 are one point."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    is_length = isinstance(default, float) or name in ("eps", "sigma")
    return float(value) if is_number and is_length else value


def _points(
    study: Study, entries: list[tuple[Entry, list[dict[str, Any]]]], joining_models: list[str]
) -> Iterator[tuple[Point, Entry, str]]:
    """All combinations, each with what keeps a joining model's problem from being built; the sweep's own is refused."""
    grid = {**study.grid, "model": [*study.grid["model"], *joining_models]}
    for values in itertools.product(*(grid[axis] for axis in _WALKED)):
        at = dict(zip(_WALKED, values, strict=True))
        spec = ProblemSpec(**{axis: at[axis] for axis in PROBLEM_AXES})
        axis, message = vocabulary.objection(spec) or ("", "")
        if message and spec.model not in joining_models:
            study.refuse(axis, at[axis], message)
        for entry, combinations in entries:
            estimator = estimators.get(entry.name)
            for options in combinations:
                yield (
                    Point(
                        estimator=entry.name,
                        quantity=study.quantity,
                        problem=spec,
                        order=at["order"],
                        options=MappingProxyType(options),
                        draws=study.draws if estimator.stochastic else 1,
                        target=estimator.target,
                        **{axis: at[axis] for axis in POINT_AXES},
                    ),
                    entry,
                    message,
                )


def _misfit(point: Point) -> str:
    """Why this combination cannot run at all; empty if it can."""
    estimator = estimators.get(point.estimator)
    if not estimator.supports(point.order):
        orders = "any" if estimator.orders == "any" else ", ".join(map(str, estimator.orders))
        return f"{estimator.name} does order {orders}; not {point.order}"
    probes = point.options.get("probes")
    if point.options.get("law") == "orthonormal" and probes is not None and probes > point.problem.dim:
        return f"orthonormal probes: at most D = {point.problem.dim} of them; not {probes}"
    return vocabulary.misfit(point.problem, point.quantity, estimator.needs)


def _repeats(point: Point, study: Study) -> str:
    """Whether it differs from an earlier point only in an axis that its model does not heed."""
    spec = point.problem
    for axis in PROBLEM_AXES:
        if vocabulary.ignores(spec, axis) and getattr(spec, axis) != study.grid[axis][0]:
            return f"model {spec.model} has no {axis}: the same problem as at {axis} {study.grid[axis][0]}"
    return ""


def _facts(point: Point) -> dict[str, Any]:
    return {**point.options, **point.identity()}


class _Runnable:
    """Which values of a study can run anywhere in its grid: one that cannot is a mistake, not a skip."""

    def __init__(self, study: Study, added: frozenset[str]) -> None:
        self.study, self.added = study, added
        self.runs: dict[tuple[str, Any], bool] = {}
        self.reasons: dict[tuple[str, Any], str] = {}

    def note(self, point: Point, entry: Entry, reason: str) -> None:
        if entry.name in self.added:
            return
        values = [(axis, getattr(point.problem, axis)) for axis in ("model", "data", "dim")]
        values.append(("order", point.order))
        for option in (*entry.options, "probes"):
            if option in point.options:
                values.append((f"{entry.name}.{option}", point.options[option]))
        for value in (("estimators", entry.name), *values):
            self.runs[value] = self.runs.get(value, False) or not reason
            self.reasons.setdefault(value, reason)

    def check(self) -> None:
        for (key, value), runs in self.runs.items():
            if not runs:
                reason = self.reasons[key, value]
                name, _, option = key.partition(".")
                axis = "probes" if option == "probes" and self.study.grid["probes"] != [None] else "estimators"
                where = (key, value) if not option else (axis, value if axis == "probes" else name)
                self.study.refuse(*where, f"{option or key} {value!r} can run nowhere in this grid: {reason}")
