"""Composite score matching: what it costs beyond the network's own training step, against D.

`made`, depth 2, width 128, batch 64, float32, value and θ-gradient. The network's own step is that of mean ½‖s‖², the
benchmark's anchor. FLOPs and bytes at the allocator's peak are counted exactly; seconds are of interleaved rounds in
one process, as the median over rounds of each round's own fit. Each exponent is a power law's with its 95 % interval.
Wanted: `csm` over the network's step is bounded, with exponent 0 once the parts that grow with D outweigh the hidden
layers, as the fit of the three largest D shows; `sm_exact`, which takes D passes, has 1.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

import estimators
from bench import problems
from bench.figures.taylor_rounds import rounds, step
from bench.meters import flops, memory
from bench.meters.anchor import PlainStep
from bench.point import ProblemSpec
from bench.statistics.bootstrap import median_interval
from bench.statistics.exponent import exponent

BASE = "network's own step"
ALL, LARGEST = slice(None), slice(-3, None)


def calls(dim: int, batch: int, loop_up_to: int) -> dict[str, Callable[[], object]]:
    """The steps that are compared at one D."""
    spec = ProblemSpec(model="made", data="gaussian", dim=dim, batch=batch)
    problem = problems.build(spec, torch.float32)

    def estimate(name: str) -> Tensor:
        return estimators.get(name)(problem.model, problem.x)

    names = ("csm", "sm_exact") if dim <= loop_up_to else ("csm",)
    return {BASE: PlainStep(problem).step} | {n: step(problem.model, partial(estimate, n)) for n in names}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=11, help="0 leaves the seconds out")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--dims", type=int, nargs="+", default=[16, 32, 64, 128, 256, 512, 1024])
    parser.add_argument("--loop-up-to", type=int, default=64, help="the largest D that sm_exact is measured at")
    options = parser.parse_args()
    if len(options.dims) < 3:
        parser.error("--dims needs three sizes or more for a fit with an interval")
    torch.set_num_threads(options.threads)
    counted: dict[str, dict[str, list[float]]] = {"FLOPs": {}, "peak bytes": {}}
    seconds: dict[str, list[list[float]]] = {}
    for dim in options.dims:
        steps = calls(dim, options.batch, options.loop_up_to)
        for name, call in steps.items():
            counted["FLOPs"].setdefault(name, []).append(float(flops.count(call)))
            counted["peak bytes"].setdefault(name, []).append(float(memory.allocator_peak_bytes(call, "cpu")))
        for name, samples in rounds(steps, options.rounds).items() if options.rounds else ():
            seconds.setdefault(name, []).append(samples)
    print(f"made, batch {options.batch}, {options.threads} thread(s), torch {torch.__version__}, value and gradient")
    print(
        f"\nover the {BASE:<31}"
        + "".join(f"{f'D = {dim}':>9}" for dim in options.dims)
        + "   exponent in D"
        + " " * 15
        + "three largest"
    )
    for unit, rows in counted.items():
        for name, row in rows.items():
            if name != BASE:
                ratios = [a / b for a, b in zip(row, rows[BASE], strict=False)]
                fits = [exponent(options.dims[: len(row)][part], ratios[part]) for part in (ALL, LARGEST)]
                _line(f"{name}, {unit}", ratios, fits, len(options.dims))
    for name, by_dim in seconds.items():
        if name != BASE:
            over = [[a / b for a, b in zip(*pair, strict=True)] for pair in zip(by_dim, seconds[BASE], strict=False)]
            by_round, dims = list(zip(*over, strict=True)), options.dims[: len(over)]
            fits = [median_interval([exponent(dims[p], row[p])[0] for row in by_round]) for p in (ALL, LARGEST)]
            _line(f"{name}, seconds", [float(np.median(samples)) for samples in over], fits, len(options.dims))


def _line(title: str, ratios: list[float], fits: list[tuple[float, float, float]], columns: int) -> None:
    cells = "".join(f"{ratio:9.3f}" for ratio in ratios) + " " * (9 * (columns - len(ratios)))
    print(f"  {title:<38}{cells}" + "".join("   {:6.3f}  ({:.3f} to {:.3f})".format(*fit) for fit in fits))


if __name__ == "__main__":
    main()
