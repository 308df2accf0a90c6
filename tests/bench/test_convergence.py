"""The error of the mean of the first draws, kept with the row."""

from __future__ import annotations

import pytest
import torch

from bench.statistics.blocks import BlockSums


@pytest.mark.parametrize("draws", [1, 5, 64, 100])
def test_it_is_the_error_of_the_mean_of_the_first_draws(draws):
    generator = torch.Generator().manual_seed(0)
    reference = torch.randn(7, generator=generator, dtype=torch.float64)
    gradients = reference + torch.randn(draws, 7, generator=generator, dtype=torch.float64)
    sums = BlockSums(reference, draws)
    for gradient in gradients:
        sums.add(gradient)
    told = sums.convergence()
    for k, error in told:
        assert error == pytest.approx(float((gradients[:k].mean(0) - reference).norm() / reference.norm()))
    counts = [k for k, _ in told]
    assert counts == sorted(set(counts))
    assert counts[0] == sums.block_size and counts[-1] == sums.blocks * sums.block_size
