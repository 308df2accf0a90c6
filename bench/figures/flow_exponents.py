"""Maximum likelihood against score matching of one flow: how the cost of a training step grows with D.

Two dense D × D layers and a smooth leaky unit between them (`glow_fc`, depth 1: the published setting), float32, value
and θ-gradient. FLOPs are counted exactly; seconds are of interleaved rounds in one process. Each exponent is a fit of
one power law with its 95 % interval: over sizes for FLOPs, and for seconds the median over rounds of each round's own
fit. Wanted: 3 for the log-determinants and for ``mle`` where they dominate, 2 for score matching without them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

import estimators
from bench import problems
from bench.figures.taylor_rounds import rounds, step
from bench.meters import flops
from bench.point import ProblemSpec
from bench.statistics.bootstrap import median_interval
from bench.statistics.exponent import exponent

OBJECTIVES = ("ssm", "ssm_vr", "taylor_ssm", "fd_ssm", "dsm")
Calls = dict[str, Callable[[], object]]


def calls(dim: int, batch: int) -> tuple[Calls, Calls]:
    """The steps that are compared, and those that tell what the log-determinants alone cost."""
    spec = ProblemSpec(model="glow_fc", data="gaussian", dim=dim, depth=1, batch=batch)
    problem = problems.build(spec, torch.float32)
    flow: Any = problem.model

    def estimate(name: str, subject: Any) -> Tensor:
        return estimators.get(name)(subject, problem.x, generator=torch.Generator().manual_seed(0))

    steps = {"mle": step(flow, partial(estimate, "mle", flow))}
    steps |= {name: step(flow, partial(estimate, name, flow)) for name in OBJECTIVES}
    steps["ssm, log-determinants kept"] = step(flow, partial(estimate, "ssm", lambda x: flow.log_density(x)))
    without = step(flow, lambda: -flow.log_density(problem.x, constant_log_dets=False))
    return steps, {"mle without them": without}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--dims", type=int, nargs="+", default=[128, 256, 512, 1024, 2048])
    options = parser.parse_args()
    if len(options.dims) < 3:
        parser.error("--dims needs three sizes or more for a fit with an interval")
    torch.set_num_threads(options.threads)
    counts: dict[str, list[float]] = {}
    seconds: dict[str, list[list[float]]] = {}
    for dim in options.dims:
        steps, parts = calls(dim, options.batch)
        for name, call in (steps | parts).items():
            counts.setdefault(name, []).append(float(flops.count(call)))
        for name, samples in rounds(steps, options.rounds).items():
            seconds.setdefault(name, []).append(samples)
    counts["log-determinants alone"] = list(np.subtract(counts["mle"], counts["mle without them"]))
    print(f"batch {options.batch}, {options.threads} thread(s), torch {torch.__version__}, value and gradient")
    _table("GFLOP", options.dims, {name: [c / 1e9 for c in row] for name, row in counts.items()})
    for name, row in counts.items():
        k, low, high = exponent(options.dims, row)
        print(f"  {name:<28} exponent {k:.2f}  ({low:.2f} to {high:.2f})")
    _table("ms, median", options.dims, {n: [1e3 * float(np.median(s)) for s in row] for n, row in seconds.items()})
    for name, samples_by_dim in seconds.items():
        every_round = zip(*samples_by_dim, strict=True)
        k, low, high = median_interval([exponent(options.dims, one_round)[0] for one_round in every_round])
        print(f"  {name:<28} exponent {k:.2f}  ({low:.2f} to {high:.2f})")
    print("\nmle over ssm at the largest D, within rounds:", end=" ")
    ratios = [a / b for a, b in zip(seconds["mle"][-1], seconds["ssm"][-1], strict=True)]
    print("{:.2f} ({:.2f} to {:.2f})".format(*median_interval(ratios)))


def _table(unit: str, dims: list[int], rows: dict[str, list[float]]) -> None:
    print(f"\n{unit:<30}" + "".join(f"{f'D = {dim}':>12}" for dim in dims))
    for name, row in rows.items():
        print(f"  {name:<28}" + "".join(f"{value:12.4g}" for value in row))


if __name__ == "__main__":
    main()
