"""What every estimator's arguments have to be, checked once, at the call."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from estimators.equilibrium import SOLVERS
from estimators.probes import LAWS

if TYPE_CHECKING:
    from estimators.estimator import Estimator


def close_matches(word: str, known: Iterable[str]) -> str:
    """A hint such as ``; did you mean 'ssm'?``, or the allowed words, for the end of an error message."""
    known = sorted(known)
    matches = difflib.get_close_matches(str(word), known, n=3, cutoff=0.5)
    if matches:
        return "; did you mean " + " or ".join(repr(m) for m in matches) + "?"
    return "; allowed: " + (", ".join(known) or "nothing")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


_COUNT = (_is_count, "a whole number >= 1")
_POSITIVE = (lambda value: _is_number(value) and value > 0, "a finite number > 0")

# Options are named alike in every estimator, so what they may be is said once, here. None besides, where an estimator
# has it as the default, and for chunk.
ALLOWED: Mapping[str, tuple[Callable[[Any], bool], str]] = MappingProxyType(
    {
        "probes": _COUNT,
        "samples": _COUNT,
        "chunk": _COUNT,
        "eps": _POSITIVE,
        "sigma": _POSITIVE,
        "law": (lambda value: value in LAWS, "one of " + ", ".join(LAWS)),
    }
)

# And these in the estimators of equilibrium models alone: elsewhere a solver or a tolerance is another thing.
ALLOWED_OF_EQUILIBRIA: Mapping[str, tuple[Callable[[Any], bool], str]] = MappingProxyType(
    {
        "steps": _COUNT,
        "terms": _COUNT,
        "iterations": _COUNT,
        "damping": (lambda value: _is_number(value) and 0 < value <= 1, "a number > 0 and <= 1"),
        "solver": (lambda value: value in SOLVERS, "one of " + ", ".join(SOLVERS)),
        "tolerance": (lambda value: _is_number(value) and value >= 0, "a finite number >= 0"),
    }
)


def check_points(x: Any) -> None:
    """Points have to be a floating-point tensor (B, D) with B, D >= 1."""
    if not isinstance(x, Tensor) or not x.is_floating_point():
        given = str(x.dtype) if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"x has to be a floating-point tensor of shape (B, D); got {given}")
    if x.dim() != 2 or 0 in x.shape:
        raise ValueError(f"x has to have shape (B, D) with B, D >= 1; got {tuple(x.shape)}")


def check_direction(args: tuple[Any, ...], x: Tensor) -> Tensor:
    """The one direction tensor v, of x's shape, dtype and device."""
    if len(args) != 1:
        raise ValueError(f"a directional derivative takes (f, x, v, order=T); got {len(args)} direction tensors")
    v = args[0]
    if not isinstance(v, Tensor) or v.shape != x.shape:
        given = tuple(v.shape) if isinstance(v, Tensor) else type(v).__name__
        raise ValueError(f"v has to have the shape of x, {tuple(x.shape)}; got {given}")
    if v.dtype != x.dtype or v.device != x.device:
        raise ValueError(f"v has to be {x.dtype} on {x.device}, as x is; got {v.dtype} on {v.device}")
    return v


def check_order(estimator: Estimator, order: Any) -> int:
    """A derivative order the estimator can do; may be left out where there is only one."""
    if order is None and isinstance(estimator.orders, tuple) and len(estimator.orders) == 1:
        return estimator.orders[0]
    orders = estimator.orders
    allowed = "any whole number >= 1" if orders == "any" else "one of " + ", ".join(map(str, orders))
    if not isinstance(order, int) or isinstance(order, bool) or order < 0 or not estimator.supports(order):
        raise ValueError(f"order of {estimator.name} has to be {allowed}; got {order!r}")
    if order == 0 and estimator.orders == "any":
        raise ValueError(f"order of {estimator.name} has to be {allowed}; got 0")
    return order


def check_option(estimator: Estimator, name: str, value: Any) -> None:
    """One option's value, for the options that mean the same everywhere, or in every estimator of equilibrium models.

    Raises:
        ValueError: naming the option, what was given and what is allowed.
    """
    known = {**ALLOWED, **ALLOWED_OF_EQUILIBRIA} if estimator.needs == "equilibrium" else ALLOWED
    may_be_none = name == "chunk" or estimator.options[name] is None
    if value is None and may_be_none:
        return
    if name in known:
        is_allowed, description = known[name]
        if not is_allowed(value):
            description += ", or None" if may_be_none else ""
            raise ValueError(f"option {name} has to be {description}; got {value!r}")
    elif value is None:
        raise ValueError(f"option {name} of {estimator.name} cannot be None")


def check_options(estimator: Estimator, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options given, over the defaults; unknown names and impossible values are refused."""
    for name, value in options.items():
        if name not in estimator.options:
            raise ValueError(f"{estimator.name} has no option {name!r}" + close_matches(name, estimator.options))
        check_option(estimator, name, value)
    return {**estimator.options, **options}


def check_generator(estimator: Estimator, generator: Any) -> torch.Generator:
    """A stochastic estimator draws from a generator that its caller owns, never from the global state."""
    if not isinstance(generator, torch.Generator):
        raise ValueError(
            f"{estimator.name} is stochastic: generator has to be a torch.Generator, "
            f"for example torch.Generator().manual_seed(0); got {generator!r}"
        )
    return generator


def check_result(estimator: Estimator, result: Any, x: Tensor) -> Tensor:
    """An estimator returns one value for each row of x."""
    if not isinstance(result, Tensor) or result.shape != x.shape[:1]:
        given = tuple(result.shape) if isinstance(result, Tensor) else type(result).__name__
        raise ValueError(f"{estimator.name} has to return a tensor of shape ({x.shape[0]},); it returned {given}")
    return result
