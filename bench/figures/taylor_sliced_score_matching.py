"""Sliced score matching by Taylor mode against finite differences and double backward: the same probes, one run.

784-1000×5-1 softplus, batch 128, float32, value and θ-gradient. Wanted: taylor_ssm within 5 % of fd_ssm, its gradient
within 1e-6 of ssm's; and its pass at 80 % or more of the matmul rate of this machine.
"""

from __future__ import annotations

import statistics
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

import estimators
from bench.figures.taylor_rounds import arguments, energy, relative_error, report, rounds, step, value

BATCH, SIZES = 128, (784, *(1000,) * 5, 1)


def matmul_flops() -> float:
    """FLOPs of the linear maps of one 2-jet pass: two coefficients into the first, three into the others."""
    return sum(2 * BATCH * (2 if i == 0 else 3) * a * b for i, (a, b) in enumerate(pairwise(SIZES)))


def main() -> None:
    """Print the tables."""
    options = arguments(__doc__, rounds=21)
    net = energy(SIZES, nn.Softplus)
    x = torch.randn(BATCH, SIZES[0])

    def estimate(name: str) -> Tensor:
        return estimators.get(name)(net, x, generator=torch.Generator().manual_seed(0), law="sphere")

    names = ("fd_ssm", "taylor_ssm", "ssm")
    wanted = [("taylor_ssm", "fd_ssm", "<= 1.05"), ("ssm", "taylor_ssm", "> 1")]
    steps = {name: step(net, partial(estimate, name)) for name in names}
    report("value and gradient", rounds(steps, options.rounds), wanted)
    values = {name: value(partial(estimate, name)) for name in names}
    a, b = torch.randn(3 * BATCH, 1000), torch.randn(1000, 1000)
    values["matmul"] = lambda: a @ b
    times = rounds(values, options.rounds)
    report("value", times, wanted)
    ideal = matmul_flops() / (2 * 3 * BATCH * 1000 * 1000)
    fractions = [ideal * m / t for t, m in zip(times["taylor_ssm"], times["matmul"], strict=True)]
    print(f"  the pass reaches {statistics.median(fractions):.0%} of the rate of a (384, 1000)(1000, 1000) product")

    def gradient(name: str) -> Tensor:
        grads = torch.autograd.grad(estimate(name).mean(), list(net.parameters()), allow_unused=True)
        return torch.cat([g.flatten() for g in grads if g is not None and g.numel() > 1])

    exact = gradient("ssm")
    for name in ("taylor_ssm", "fd_ssm"):
        error = relative_error(gradient(name), exact)
        print(f"  gradient of {name} against ssm on the same probes: relative error {error:.1e}")


if __name__ == "__main__":
    main()
