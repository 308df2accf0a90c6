"""Side-by-side timing in one process: calls take turns, the order flips every round, ratios are taken within rounds."""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

Call = Callable[[], object]


def arguments(description: str | None, rounds: int) -> argparse.Namespace:
    """The options all these scripts take; the number of threads is set at once."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=rounds)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    return options


def energy(sizes: Sequence[int], activation: Callable[[], nn.Module], seed: int = 0) -> nn.Sequential:
    """A fully connected net whose layers keep unit variance, so that high derivatives are of order one."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        linear = nn.Linear(inputs, outputs)
        nn.init.normal_(linear.weight, std=1.2 / math.sqrt(inputs))
        layers += [linear, activation()]
    return nn.Sequential(*layers[:-1])


def value(f: Callable[[], Tensor]) -> Call:
    """The value alone."""

    def call() -> Tensor:
        with torch.no_grad():
            return f()

    return call


def step(net: nn.Module, f: Callable[[], Tensor]) -> Call:
    """The value and the gradient of its mean in all parameters."""
    parameters = list(net.parameters())
    return lambda: torch.autograd.grad(f().mean(), parameters, allow_unused=True)


def rounds(calls: Mapping[str, Call], count: int, block_s: float = 0.02) -> dict[str, list[float]]:
    """Seconds a call, one median of a block for each round; the first call of a block is not timed."""
    lengths = {name: max(1, round(block_s / _seconds(call))) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for index in range(count):
        for name in list(calls) if index % 2 else reversed(list(calls)):
            calls[name]()
            times[name].append(statistics.median(_timed(calls[name]) for _ in range(lengths[name])))
    return times


def ratio(times: Mapping[str, list[float]], over: str, under: str) -> tuple[float, float, float]:
    """Median of the within-round ratios over/under, and their quartiles."""
    ratios = sorted(a / b for a, b in zip(times[over], times[under], strict=True))
    quartiles = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else [ratios[0]] * 3
    return statistics.median(ratios), quartiles[0], quartiles[2]


def report(title: str, times: Mapping[str, list[float]], comparisons: Sequence[tuple[str, str, str]]) -> None:
    """Print times in milliseconds, then each (over, under, bound) ratio beside the bound it has to keep."""
    print(f"\n{title}  ({torch.get_num_threads()} thread(s), torch {torch.__version__})")
    for name, samples in times.items():
        print(f"  {name:<34} median {1e3 * statistics.median(samples):9.3f} ms   least {1e3 * min(samples):9.3f} ms")
    for over, under, bound in comparisons:
        median, low, high = ratio(times, over, under)
        print(f"  {over} / {under}: {median:.3f}  (quartiles {low:.3f} to {high:.3f}; wanted {bound})")


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """‖actual − expected‖ / ‖expected‖, in float64."""
    return float((actual.double() - expected.double()).norm() / expected.double().norm())


def _timed(call: Call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _seconds(call: Call) -> float:
    call()
    return max(min(_timed(call) for _ in range(2)), 1e-6)
