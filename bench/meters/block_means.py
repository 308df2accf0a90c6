"""Means over blocks of draws of the gradient: what is kept of a version, to be compared with another one."""

from __future__ import annotations

import numpy as np
import torch

from bench.meters.accuracy import draw_seed
from bench.meters.subject import Subject, generator
from bench.statistics.blocks import BlockSums


def block_means(subject: Subject, draws: int, blocks: int = 32) -> np.ndarray:
    """(K, P) float64 means of the gradient over K equal blocks of draws; one block for a deterministic estimator.

    Draw k is the same for every version, as in `bench.meters.accuracy`.
    """
    if not subject.estimator.stochastic:
        draws = 1
    size = sum(parameter.numel() for parameter in subject.problem.parameters)
    sums = BlockSums(torch.zeros(size, dtype=torch.float64), draws, blocks)
    for k in range(draws):
        sums.add(subject.flat_gradient(subject.step(generator(draw_seed(subject.problem, k)))[1]))
    return sums.means().numpy()
