"""One study of a sweep: the estimators of one quantity over one grid, read from its table and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from bench.sweep.axes import AXES, DRAWS, Axis
from bench.sweep.errors import SweepError, hint
from bench.sweep.rules import Rule, read_rules
from bench.sweep.source import Source

KEYS = ("title", "quantity", "estimators", "grid", "measure", "skip")
QUANTITIES = ("directional", "laplacian", "score_matching", "log_likelihood")
DEFAULT_ORDERS = {"directional": 2, "laplacian": 2, "score_matching": 2, "log_likelihood": 0}


@dataclass(frozen=True)
class Entry:
    """One estimator of a study: its name, and lists of values for the options it gives."""

    name: str
    options: Mapping[str, list[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """A study as written: every axis a list of values, in the order of `AXES`.

    ``number`` is its place among the ``[[study]]`` tables, None for a sweep of one.
    """

    source: Source
    number: int | None
    quantity: str
    entries: tuple[Entry, ...]
    grid: Mapping[str, list[Any]]
    draws: int
    rules: tuple[Rule, ...]
    places: Mapping[str, int | None]

    def line(self, key: str, value: object = None) -> int:
        """The line on which an axis, or one value of it, stands; that of the grid where it is a default."""
        section = "" if key in ("estimators", "quantity") else "measure" if key == "draws" else "grid"
        return self.source.line(self.places.get(key, self.number), section, key, value)

    def refuse(self, key: str, value: object, message: str) -> NoReturn:
        """Raise a `SweepError` that points at a value."""
        raise SweepError(f"{self.source.path}:{self.line(key, value)}: {message}")


def read_studies(source: Source) -> tuple[Study, ...]:
    """The studies of a sweep; what stands before the first ``[[study]]`` holds for all of them.

    Raises:
        SweepError: an unknown key, a missing one, or a value that is not allowed.
    """
    top = source.data
    _check_keys(source, None, "", top, (*KEYS, "study"), "a sweep")
    tables = top.get("study", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise SweepError(f"{source.path}:{source.line(None, '', 'study')}: study has to be a list of [[study]] tables")
    if not tables:
        return (_read(source, None, {}),)
    return tuple(_read(source, number, table) for number, table in enumerate(tables))


def _read(source: Source, number: int | None, table: dict[str, Any]) -> Study:
    top = source.data
    _check_keys(source, number, "", table, KEYS, "a study")
    places: dict[str, int | None] = {}
    merged: dict[str, Any] = {}
    for key in ("quantity", "estimators"):
        places[key] = number if key in table else None
        merged[key] = table.get(key, top.get(key))
        if merged[key] is None:
            where = f"{source.path}:{source.line(number, '')}"
            raise SweepError(f"{where}: {'the sweep' if number is None else 'this study'} has no {key}")
    quantity = merged["quantity"]
    if quantity not in QUANTITIES:
        line = source.line(places["quantity"], "", "quantity")
        raise SweepError(f"{source.path}:{line}: no quantity called {quantity!r}" + hint(quantity, QUANTITIES))

    grid: dict[str, list[Any]] = {}
    measure: dict[str, Any] = {}
    for place, tables in ((None, top), *(((number, table),) if number is not None else ())):
        for section, known in (("grid", tuple(AXES)), ("measure", ("draws",))):
            given = tables.get(section, {})
            if not isinstance(given, dict):
                raise SweepError(f"{source.path}:{source.line(place, '', section)}: {section} has to be a table")
            _check_keys(source, place, section, given, known, f"[{section}]")
            for key, value in given.items():
                places[key] = place
                if section == "grid":
                    grid[key] = _values(source, place, section, key, value, AXES[key])
                else:
                    measure[key] = _values(source, place, section, key, value, DRAWS, scalar=True)[0]

    axes = {key: grid.get(key, [_default(key, quantity)]) for key in AXES}
    study = Study(
        source=source,
        number=number,
        quantity=quantity,
        entries=_entries(source, places["estimators"], merged["estimators"]),
        grid=axes,
        draws=measure.get("draws", DRAWS.default),
        rules=read_rules(source, None, top) + (read_rules(source, number, table) if number is not None else ()),
        places=places,
    )
    for order in axes["order"]:
        allowed = _order_allowed(quantity, order)
        if allowed:
            study.refuse("order", order, f"order of a {quantity} has to be {allowed}; got {order}")
    return study


def _default(key: str, quantity: str) -> Any:
    return DEFAULT_ORDERS[quantity] if key == "order" else AXES[key].default


def _order_allowed(quantity: str, order: int) -> str:
    """What the order of this quantity has to be, where this one is none."""
    if quantity == "laplacian":
        return "" if order >= 2 and order % 2 == 0 else "an even number >= 2"
    if quantity == "directional":
        return "" if order >= 1 else "a whole number >= 1"
    fixed = DEFAULT_ORDERS[quantity]
    return "" if order == fixed else str(fixed)


def _check_keys(
    source: Source, place: int | None, section: str, given: dict[str, Any], known: tuple[str, ...], where: str
) -> None:
    for key in given:
        if key not in known:
            line = source.line(place, section, key)
            raise SweepError(f"{source.path}:{line}: unknown key {key!r} in {where}" + hint(key, known))


def _values(
    source: Source, place: int | None, section: str, key: str, value: Any, axis: Axis, scalar: bool = False
) -> list[Any]:
    values = value if isinstance(value, list) and not scalar else [value]
    if not values:
        raise SweepError(f"{source.path}:{source.line(place, section, key)}: {key} is an empty list")
    for one in values:
        if not axis.allows(one):
            line = source.line(place, section, key, one)
            raise SweepError(f"{source.path}:{line}: {key} has to be {axis.allowed}; got {one!r}")
    if len(set(values)) < len(values):
        twice = next(one for n, one in enumerate(values) if one in values[:n])
        line = source.line(place, section, key, twice)
        raise SweepError(f"{source.path}:{line}: {key} names {twice!r} twice: its points would be duplicates")
    return values


def _entries(source: Source, place: int | None, given: Any) -> tuple[Entry, ...]:
    line = source.line(place, "", "estimators")
    if not isinstance(given, list) or not given:
        raise SweepError(f"{source.path}:{line}: estimators has to be a list of names and {{ name = …, option = … }}")
    entries = []
    for one in given:
        if isinstance(one, str):
            entries.append(Entry(one))
        elif isinstance(one, dict) and isinstance(one.get("name"), str):
            options = {k: v if isinstance(v, list) else [v] for k, v in one.items() if k != "name"}
            for key, values in options.items():
                if not values:
                    raise SweepError(f"{source.path}:{line}: option {key} of {one['name']} is an empty list")
            entries.append(Entry(one["name"], options))
        else:
            raise SweepError(f"{source.path}:{line}: an estimator is a name or {{ name = …, option = … }}; got {one!r}")
    return tuple(entries)
