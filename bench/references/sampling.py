"""References that are averages of unbiased draws, with their own error."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.references.recipe import Draw

FEWEST, MOST = 16, 512  # draws
EVERY, GROUPS, SEED = 16, 4, 20_261_125


@dataclass(frozen=True)
class Mean:
    """An average of draws.

    Attributes:
        value: (B,).
        gradient: (P,).
        error: relative standard error of the gradient, √(tr S/n)/‖g‖.
        minibatch_std: relative standard deviation of the exact gradient over batches of this size, the draws' own noise
            taken off; NaN from a single row.
        draws: n.
    """

    value: Tensor
    gradient: Tensor
    error: float
    minibatch_std: float
    draws: int


def average(draw: Draw, x: Tensor, v: Tensor, rows: int = 512, error: float = 0.01, limit_s: float = math.inf) -> Mean:
    """Average draws until the relative standard error of the gradient is at most ``error``, or ``MOST`` are spent.

    Where the next ``EVERY`` draws would go beyond ``limit_s`` it ends with what it has.

    The batch is split in groups of rows, and the draws in two halves. With a_g and b_g the halves' means of group g's
    gradient, the noise-free spread of the groups is Σ_g w_g² (a_g − ā)·(b_g − b̄): the two halves' noise is independent.

    Args:
        draw: (x, v, z) → values and gradient, as in `bench.references.recipe`.
        x: (B, D) float64.
        v: (B, D).
        rows: the fewest rows a draw takes: a small batch is taken several times, each with its own z.
        error: what is aimed at.
        limit_s: seconds of this thread on the processor, which neighbours do not lengthen.

    Raises:
        NotImplementedError: the fewest draws would take longer than ``limit_s``, or one is not finite.
    """
    generator = torch.Generator().manual_seed(SEED)
    groups = torch.arange(len(x)).tensor_split(min(GROUPS, len(x)))
    weights = torch.tensor([len(group) / len(x) for group in groups], dtype=torch.float64)
    copies = max(1, rows // len(x))
    values, halves, squares, draws = torch.zeros_like(x[:, 0]), None, 0.0, 0
    started_s = one_s = time.thread_time()
    while True:
        z = torch.randn(copies, *x.shape, dtype=x.dtype, generator=generator)
        gradients = []
        for group in groups:
            points, directions = x[group].repeat(copies, 1), v[group].repeat(copies, 1)
            value, parts = draw(points, directions, z[:, group].flatten(0, 1))
            values[group] += value.detach().view(copies, -1).mean(0)
            gradients.append(torch.cat([part.detach().reshape(-1) for part in parts]))
        stacked = torch.stack(gradients)
        halves = torch.zeros(2, *stacked.shape, dtype=x.dtype) if halves is None else halves
        halves[draws % 2] += stacked
        squares += float((weights @ stacked).square().sum())
        draws += 1
        if draws <= 2:  # the first warms up
            one_s, before_s = time.thread_time(), one_s
            if draws == 2 and (fewest_s := (one_s - before_s) * FEWEST) > limit_s:
                raise NotImplementedError(f"the fewest draws, {FEWEST}, take {fewest_s:.3g} s, over {limit_s:g} s")
        if draws % EVERY:
            continue
        mean = weights @ halves.sum(0) / draws
        norm = float(mean.norm())
        if not math.isfinite(norm):
            raise NotImplementedError("a draw of the reference is not finite")
        variance = max(0.0, squares / draws - norm**2) / (draws - 1)
        reached = math.sqrt(variance) / norm if norm else math.inf
        spent_s = time.thread_time() - started_s
        over = spent_s * (draws + EVERY) / draws > limit_s
        if (draws >= FEWEST and (reached <= error or over)) or draws >= MOST:
            spread = _minibatch_std(halves / (draws / 2), weights, norm)
            return Mean(values / draws, mean, reached if norm else 0.0, spread, draws)


def _minibatch_std(halves: Tensor, weights: Tensor, norm: float) -> float:
    groups = len(weights)
    if groups < 2 or norm == 0.0:
        return math.nan
    first, second = (half - weights @ half for half in halves)
    spread = float((weights.square() * (first * second).sum(-1)).sum())
    return math.sqrt(max(0.0, spread) * groups / (groups - 1)) / norm
