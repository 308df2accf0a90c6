"""Optimisers from ``torch.optim`` by name, and their state as arrays: nothing pickled is ever read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from estimators.arguments import close_matches

NOT_SERVED = {"LBFGS": "it calls the objective itself", "SparseAdam": "it takes sparse gradients only"}


def names() -> tuple[str, ...]:
    """The optimisers that can be asked for."""
    found = {n for n, c in vars(torch.optim).items() if isinstance(c, type) and issubclass(c, torch.optim.Optimizer)}
    return tuple(sorted(found - {"Optimizer", *NOT_SERVED}))


def make(name: str, options: Mapping[str, Any], parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimiser over the parameters.

    Raises:
        ValueError: there is none of this name, or it refuses the options.
    """
    if name in NOT_SERVED:
        raise ValueError(f"optimiser {name} is not served: {NOT_SERVED[name]}")
    if name not in names():
        raise ValueError(f"no optimiser called {name!r} in torch.optim" + close_matches(name, names()))
    try:
        return getattr(torch.optim, name)(list(parameters), **options)
    except (TypeError, ValueError) as error:
        raise ValueError(f"optimiser {name} refuses {dict(options)}: {error}") from None


def check(name: str, options: Mapping[str, Any]) -> None:
    """Refuse what `make` would refuse, without a model."""
    make(name, options, [nn.Parameter(torch.zeros(2, 2))])


def state(optimiser: torch.optim.Optimizer) -> dict[str, np.ndarray]:
    """What the optimiser remembers of each parameter, by ``optimiser/NUMBER/NAME``.

    Raises:
        TypeError: it remembers something that is no array and no number.
    """
    arrays = {}
    for number, remembered in optimiser.state_dict()["state"].items():
        for name, value in remembered.items():
            if isinstance(value, Tensor):
                arrays[f"optimiser/{number}/{name}"] = value.detach().cpu().numpy().copy()
            elif isinstance(value, bool | int | float):
                arrays[f"scalar/{number}/{name}"] = np.array(value)
            elif value is not None:
                raise TypeError(f"{type(optimiser).__name__} keeps a {type(value).__name__} {name!r}")
    return arrays


def restore(optimiser: torch.optim.Optimizer, arrays: Mapping[str, np.ndarray]) -> None:
    """Have it remember what `state` gave."""
    whole = optimiser.state_dict()
    whole["state"] = {}
    for path, array in arrays.items():
        kind, _, rest = path.partition("/")
        if kind in ("optimiser", "scalar"):
            number, name = rest.split("/", 1)
            value = torch.from_numpy(array.copy()) if kind == "optimiser" else array.item()
            whole["state"].setdefault(int(number), {})[name] = value
    optimiser.load_state_dict(whole)
