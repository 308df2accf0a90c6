"""The registry: one decorator registers an estimator, built in or anybody's."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from estimators.arguments import close_matches
from estimators.cost import Cost
from estimators.estimator import (
    BIASES,
    DEFAULT_ORDERS,
    QUANTITIES,
    TARGETS,
    Estimator,
    facts_from_signature,
    formula_from_docstring,
)
from estimators.protocols import NEEDS

ENTRY_POINT_GROUP = "estimators"

_estimators: dict[str, Estimator] = {}
_origin = "estimators"
_entry_points_loaded = False


def register(
    name: str,
    *,
    quantity: str,
    source: str = "",
    bias: str = "none",
    step: str | None = None,
    bias_order: int | None = None,
    target: str | None = None,
    pair: str | None = None,
    needs: str = "function",
    orders: Iterable[int] | Literal["any"] | None = None,
    cost: Cost | None = None,
    tags: Iterable[str] = (),
) -> Callable[[Callable[..., Tensor]], Estimator]:
    """Register a function as the estimator ``name``; see `Estimator` for what each fact means.

    The function's keyword-only parameters, except ``order`` and ``generator``, are its options; it is stochastic if and
    only if it takes ``generator`` without a default.

    Raises:
        ValueError: a fact is not one of the allowed words, or the name is taken.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"name of an estimator has to match [a-z][a-z0-9_]*; got {name!r}")
    _allowed(name, "quantity", quantity, QUANTITIES)
    _allowed(name, "bias", bias, BIASES)
    _allowed(name, "needs", needs, NEEDS)
    target = TARGETS[quantity][0] if target is None else target
    _allowed(name, "target", target, TARGETS[quantity])
    chosen: tuple[int, ...] | Literal["any"] = DEFAULT_ORDERS[quantity]
    if orders is not None:
        chosen = "any" if orders == "any" else tuple(int(order) for order in orders)
    if quantity == "laplacian" and (chosen == "any" or any(order < 2 or order % 2 for order in chosen)):
        raise ValueError(f"{name}: orders of a laplacian have to be even numbers >= 2; got {orders!r}")

    def decorate(function: Callable[..., Tensor]) -> Estimator:
        options, stochastic = facts_from_signature(function)
        if (bias == "vanishing") != (step is not None and bias_order is not None):
            raise ValueError(f"{name}: a vanishing bias, and only that, declares step and bias_order")
        if step is not None and step not in options:
            raise ValueError(f"{name}: step {step!r} is none of its options" + close_matches(step, options))
        _check_cost(name, cost, options, (1, 2, 3, 4) if chosen == "any" else chosen)
        if name in _estimators:
            raise ValueError(f"an estimator called {name!r} is registered already, by {_estimators[name].origin}")
        estimator = Estimator(
            function=function,
            name=name,
            quantity=quantity,
            options=options,
            orders=chosen,
            stochastic=stochastic,
            bias=bias,
            step=step,
            bias_order=bias_order,
            target=target,
            pair=pair,
            needs=needs,
            cost=cost,
            tags=tuple(tags),
            source=source,
            formula=formula_from_docstring(function),
            origin=_origin,
            __doc__=function.__doc__ or "",
        )
        _estimators[name] = estimator
        return estimator

    return decorate


def get(name: str) -> Estimator:
    """The estimator called ``name``.

    Raises:
        KeyError: there is none; the message names the close matches.
    """
    _load_entry_points()
    if name not in _estimators:
        raise KeyError(f"no estimator called {name!r}" + close_matches(name, _estimators))
    return _estimators[name]


def names(quantity: str | None = None) -> tuple[str, ...]:
    """The names of all registered estimators, or of those of one quantity, sorted.

    Raises:
        ValueError: the quantity does not exist.
    """
    if quantity is not None and quantity not in QUANTITIES:
        raise ValueError(f"no quantity called {quantity!r}" + close_matches(quantity, QUANTITIES))
    _load_entry_points()
    return tuple(sorted(name for name, e in _estimators.items() if quantity in (None, e.quantity)))


def load_file(path: str | Path) -> tuple[str, ...]:
    """Load a plugin: run the file, and return the names of the estimators it registered, sorted.

    Loading the same file twice in one process returns the same names again.

    Raises:
        FileNotFoundError: there is no such file.
        Exception: whatever the file raises; nothing of it stays registered then.
    """
    path = Path(path).resolve()
    if not path.is_file():
        raise FileNotFoundError(f"no plugin file at {path}")
    already = tuple(sorted(name for name, e in _estimators.items() if e.origin == str(path)))
    if already:
        return already
    module_name = "estimators_plugin_" + re.sub(r"\W", "_", str(path))
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        return _registering(str(path), lambda: spec.loader.exec_module(module))  # type: ignore[union-attr]
    except BaseException:
        del sys.modules[module_name]
        raise


def _registering(origin: str, action: Callable[[], Any]) -> tuple[str, ...]:
    """Run ``action`` with new estimators marked as coming from ``origin``; undo its registrations if it raises."""
    global _origin
    before, previous = set(_estimators), _origin
    _origin = origin
    try:
        action()
    except BaseException:
        for name in set(_estimators) - before:
            del _estimators[name]
        raise
    finally:
        _origin = previous
    return tuple(sorted(set(_estimators) - before))


def _load_entry_points() -> None:
    """Load third parties' estimators, once, when the registry is first asked."""
    global _entry_points_loaded
    if _entry_points_loaded:
        return
    _entry_points_loaded = True
    for point in entry_points(group=ENTRY_POINT_GROUP):
        distribution = point.dist.name if point.dist else point.value
        _registering(distribution, point.load)


def _allowed(name: str, fact: str, word: str, allowed: tuple[str, ...]) -> None:
    if word not in allowed:
        raise ValueError(f"{name}: {fact} has to be one of {', '.join(allowed)}; got {word!r}")


def _check_cost(name: str, cost: Any, options: Mapping[str, Any], orders: tuple[int, ...]) -> None:
    if cost is None:
        return
    if not isinstance(cost, Cost):
        raise ValueError(f"{name}: cost has to be an estimators.Cost; got {cost!r}")
    try:
        cost.check(options, orders)
    except ValueError as error:
        raise ValueError(f"{name}: cost: {error}") from None
