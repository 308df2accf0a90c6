"""Exact score matching by the compressed forward Laplacian against one sliced step, in one run.

784-128×L-1 softplus, L = 1, 2 and 4, batch 16 and 128, float32, value and θ-gradient. Wanted: sm_forward at most 8
times ssm with one probe, its gradient that of sm_exact, which takes 784 reverse passes.

The first layer acts on one vector, and every further one on 130, where ssm takes four passes through all: each layer of
128 after the first adds some three to four ssm steps of arithmetic, so that the bound has to fail for deep nets in
large batches. In small ones ssm's step is mostly the launching of its operations.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

import estimators
from bench.figures.taylor_rounds import arguments, energy, relative_error, report, rounds, step

DIM, WIDTH, DEPTHS, BATCHES = 784, 128, (1, 2, 4), (16, 128)


def main() -> None:
    """Print the tables."""
    options = arguments(__doc__, rounds=21)
    for batch in BATCHES:
        for depth in DEPTHS:
            compare(depth, batch, options.rounds)


def compare(depth: int, batch: int, count: int) -> None:
    """One net: times, and the gradient against the loop over coordinates."""
    net = energy((DIM, *(WIDTH,) * depth, 1), nn.Softplus)
    x = torch.randn(batch, DIM)

    def estimate(name: str, x: Tensor) -> Tensor:
        return estimators.get(name)(net, x, generator=torch.Generator().manual_seed(0))

    wanted = [("sm_forward", "ssm", "<= 8")]
    steps = {name: step(net, partial(estimate, name, x)) for name in ("ssm", "sm_forward")}
    report(f"784-{WIDTH}×{depth}-1, batch {batch}, value and gradient", rounds(steps, count), wanted)
    net.double()

    def gradient(name: str) -> Tensor:
        value = estimate(name, x[:4].double()).mean()
        grads = torch.autograd.grad(value, list(net.parameters()), allow_unused=True, materialize_grads=True)
        return torch.cat([g.flatten() for g in grads])

    error = relative_error(gradient("sm_forward"), gradient("sm_exact"))
    print(f"  gradient against sm_exact, 4 rows, float64: relative error {error:.1e}")


if __name__ == "__main__":
    main()
