"""The sixth directional derivative by Taylor mode against finite differences and nested reverse mode, in one run.

64-128×4-1 tanh, batch 128, float32. Wanted: taylor at most 1.3 times finite_difference, nested_reverse at least 8 times
taylor, taylor's error at most 1e-5 where finite differences have no digit.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

import estimators
from bench.figures.taylor_rounds import arguments, energy, relative_error, report, rounds, step, value

BATCH, DIM, ORDER = 128, 64, 6


def main() -> None:
    """Print the tables."""
    options = arguments(__doc__, rounds=21)
    net = energy((DIM, *(128,) * 4, 1), nn.Tanh)
    x, v = torch.randn(BATCH, DIM), torch.nn.functional.normalize(torch.randn(BATCH, DIM))

    def estimate(name: str) -> Tensor:
        return estimators.get(name)(net, x, v, order=ORDER)

    names = ("finite_difference", "taylor", "nested_reverse")
    wanted = [("taylor", "finite_difference", "<= 1.3"), ("nested_reverse", "taylor", ">= 8")]
    values = {name: value(partial(estimate, name)) for name in names}
    report(f"order {ORDER}, value", rounds(values, options.rounds), wanted)
    steps = {name: step(net, partial(estimate, name)) for name in names}
    report(f"order {ORDER}, value and gradient", rounds(steps, options.rounds), wanted)
    results = {name: estimate(name).detach() for name in names}
    exact = estimators.get("nested_reverse")(net.double(), x.double(), v.double(), order=ORDER).detach()
    for name in names:
        error = relative_error(results[name], exact)
        print(f"  {name} in float32 against nested reverse in float64: relative error {error:.1e}")


if __name__ == "__main__":
    main()
