"""One point by an estimator's name and where it is measured, every option filled in as in a sweep."""

from __future__ import annotations

from dataclasses import fields
from types import MappingProxyType
from typing import Any

import estimators
from bench.point import Point, ProblemSpec
from bench.sweep.study import DEFAULT_ORDERS
from estimators.arguments import check_options

_PROBLEM = tuple(field.name for field in fields(ProblemSpec))


def point(
    estimator: str, *, order: int | None = None, dtype: str = "float32", draws: int = 64, **settings: Any
) -> Point:
    """The point of an estimator.

    Args:
        estimator: its name in the registry.
        order: T; None for the one its quantity has by default.
        dtype: of model and data.
        draws: gradient draws, a multiple of 16; one for a deterministic estimator.
        settings: fields of `ProblemSpec`, and options of the estimator.

    Raises:
        KeyError: there is no such estimator.
        ValueError: it has no such option, or not that value.
    """
    found = estimators.get(estimator)
    problem = {name: value for name, value in settings.items() if name in _PROBLEM}
    options = {name: value for name, value in settings.items() if name not in _PROBLEM}
    return Point(
        estimator=estimator,
        quantity=found.quantity,
        problem=ProblemSpec(**problem),
        order=DEFAULT_ORDERS[found.quantity] if order is None else order,
        options=MappingProxyType(check_options(found, options)),
        dtype=dtype,
        draws=draws if found.stochastic else 1,
        target=found.target,
    )
