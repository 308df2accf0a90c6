"""Equilibrium models: peak memory of a training step against how often the layer is applied to find the fixed point.

`deq` at depth 32 (‖W‖₂ = 32/33), width 128, D = 64, batch 64, float32, value and θ-gradient; bytes at the allocator's
peak, exact. The number of Picard's applications is set; Anderson's mixing keeps six iterates and is shown beside it.
Each exponent is a power law's with its 95 % interval. Wanted: `deq_phantom` the same to the byte whatever the solver
did (exponent 0), `deq_unrolled` in proportion to it (exponent 1 once the graph outweighs what is held besides).
"""

from __future__ import annotations

import argparse
import statistics
from functools import partial

import torch
from torch import Tensor

import estimators
from bench import problems
from bench.figures.taylor_rounds import rounds, step
from bench.meters import memory
from bench.point import ProblemSpec
from bench.statistics.exponent import exponent

LINES = {
    "deq_phantom": ("deq_phantom", "picard"),
    "deq_phantom, anderson": ("deq_phantom", "anderson"),
    "deq_neumann": ("deq_neumann", "picard"),
    "deq_exact": ("deq_exact", "picard"),
    "deq_unrolled": ("deq_unrolled", ""),
}


def main() -> None:
    """Print the table, and seconds beside the bytes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7, help="0 leaves the seconds out")
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, nargs="+", default=[8, 16, 32, 64, 128])
    options = parser.parse_args()
    if len(options.steps) < 3:
        parser.error("--steps needs three numbers or more for a fit with an interval")
    torch.set_num_threads(options.threads)
    spec = ProblemSpec(model="deq", data="gaussian", dim=options.dim, depth=32, batch=options.batch)
    problem = problems.build(spec, torch.float32)

    def estimate(name: str, solver: str, steps: int) -> Tensor:
        chosen = {"solver": solver, "tolerance": 0.0, "iterations": steps} if solver else {"steps": steps}
        return estimators.get(name)(problem.model, problem.x, **chosen)

    calls = {
        title: {n: step(problem.model, partial(estimate, *line, n)) for n in options.steps}
        for title, line in LINES.items()
    }
    print(f"deq, D = {options.dim}, batch {options.batch}, {options.threads} thread(s), torch {torch.__version__}")
    print(f"\n{'peak MiB, by applications':<26}" + "".join(f"{n:>10}" for n in options.steps) + "   exponent")
    for title, by_steps in calls.items():
        peaks = []
        for call in by_steps.values():
            call()
            peaks.append(memory.allocator_peak_bytes(call, "cpu"))
        law = "{:.3f}  ({:.3f} to {:.3f})".format(*exponent(options.steps, peaks))
        if len(set(peaks)) == 1:
            law = f"0, all {peaks[0]} bytes"
        print(f"  {title:<24}" + "".join(f"{peak / 2**20:10.3f}" for peak in peaks) + f"   {law}")
    if options.rounds:
        print(f"\n{'ms a step, median':<26}" + "".join(f"{n:>10}" for n in options.steps))
        times = {n: rounds({t: c[n] for t, c in calls.items()}, options.rounds) for n in options.steps}
        for title in calls:
            cells = (f"{1e3 * statistics.median(times[n][title]):10.1f}" for n in options.steps)
            print(f"  {title:<24}" + "".join(cells))


if __name__ == "__main__":
    main()
