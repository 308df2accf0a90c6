"""A rehearsal: what every point has measured, once, on a tiny problem, in a process that waits for its point.

A process just forked shares its memory with the server and copies each page at its first touch, some thousand pages a
point and microseconds each. Touched beforehand, while another point is measured, they cost that point's time nothing.
"""

from __future__ import annotations

from typing import Any

import torch

import estimators
from bench import problems
from bench.meters import accuracy, anchor, flops, memory, state
from bench.point import ProblemSpec
from bench.statistics.blocks import BlockSums

SPEC = ProblemSpec(model="mlp", data="gaussian", dim=4, depth=1, width=4, batch=4)
DRAWS = 16


def rehearse() -> None:
    """Build a problem, take second-order steps of it under every meter, and forget it; torch keeps one thread."""
    estimators.names()  # finds what other packages register
    with torch.random.fork_rng(devices=[]):
        torch.set_num_threads(1)
        problem = problems.build(SPEC, torch.float32)
        model: Any = problem.model
        problem.arguments("score_matching")
        plain = anchor.PlainStep(problem)
        before = state.Snapshot.of(problem)

        def step() -> tuple[torch.Tensor, ...]:
            x = problem.x.clone().requires_grad_()
            (score,) = torch.autograd.grad(model.log_density(x).sum(), x, create_graph=True)
            (second,) = torch.autograd.grad((score * problem.v).sum(), x, create_graph=True)
            return torch.autograd.grad(second.sum() + score.square().mean(), problem.parameters, allow_unused=True)

        step()
        before.changes(problem)
        memory.allocator_peak_bytes(plain.value, "cpu")
        memory.allocator_peak_bytes(step, "cpu")
        memory.rss_peak_bytes(step)
        flops.count(plain.value)
        flops.count(step)
        reference = torch.ones(8, dtype=torch.float64)
        sums = BlockSums(reference, DRAWS)
        noise = torch.randn(DRAWS, 8, dtype=torch.float64)
        for draw in noise:
            accuracy.finite(draw)
            sums.add(draw)
        sums.bias(), sums.std(), sums.rmse(), sums.cosine()
