"""Probes: E[v vᵀ] = I under every law, the same in every dtype."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from estimators import probes


def draw(law, count, rows, dim, seed=0, dtype=torch.float64):
    return probes.draw(law, count, torch.zeros(rows, dim, dtype=dtype), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("law", probes.LAWS)
def test_second_moment_is_the_identity(law):
    """The largest of the 10 entries' errors in units of its own standard error: false failure below 1e-6 at 6."""
    v = draw(law, 1, 40_000, 4)[0]
    products = v.unsqueeze(2) * v.unsqueeze(1)  # (rows, 4, 4)
    error = products.std(0) / products.shape[0] ** 0.5
    deviation = (products.mean(0) - torch.eye(4, dtype=torch.float64)).abs()
    assert (deviation <= 6 * error + 1e-12).all()


@pytest.mark.parametrize("law", ["orthonormal", "coordinate"])
def test_second_moment_of_the_mean_of_several(law):
    v = draw(law, 3, 20_000, 4)
    products = (v.unsqueeze(3) * v.unsqueeze(2)).mean(0)
    error = products.std(0) / products.shape[0] ** 0.5
    deviation = (products.mean(0) - torch.eye(4, dtype=torch.float64)).abs()
    assert (deviation <= 6 * error + 1e-12).all()


@settings(deadline=None, max_examples=25)
@given(
    law=st.sampled_from(probes.LAWS),
    count=st.integers(1, 4),
    rows=st.integers(1, 3),
    dim=st.integers(4, 9),
    seed=st.integers(0, 2**31),
)
def test_float32_probes_are_the_float64_ones_cast(law, count, rows, dim, seed):
    wide, narrow = (draw(law, count, rows, dim, seed, dtype) for dtype in (torch.float64, torch.float32))
    assert wide.shape == (count, rows, dim) and narrow.dtype == torch.float32
    assert torch.equal(wide.to(torch.float32), narrow)


def test_what_each_law_promises():
    dim = 5
    assert set(draw("rademacher", 2, 50, dim).unique().tolist()) == {-1.0, 1.0}
    torch.testing.assert_close(
        draw("sphere", 2, 50, dim).norm(dim=-1), torch.full((2, 50), dim**0.5, dtype=torch.float64)
    )
    v = draw("orthonormal", 3, 50, dim).permute(1, 0, 2)
    torch.testing.assert_close(v @ v.mT, (dim * torch.eye(3, dtype=torch.float64)).expand(50, 3, 3))
    everything = draw("coordinate", dim, 50, dim)
    assert ((everything != 0).sum(0) == 1).all(), "D coordinates without replacement are each drawn once"
    assert ((draw("coordinate", 2 * dim, 50, dim) != 0).sum(0) == 2).all(), "a fresh permutation after every D"


def test_refusals():
    with pytest.raises(ValueError, match="probes has to be at most D = 4 for law 'orthonormal'; got 5"):
        draw("orthonormal", 5, 1, 4)
    with pytest.raises(ValueError, match="law has to be one of rademacher"):
        draw("cauchy", 1, 1, 4)
    with pytest.raises(ValueError, match="probes has to be a whole number >= 1; got 0"):
        draw("gaussian", 0, 1, 4)


def test_the_global_random_state_is_not_drawn_from():
    state = torch.get_rng_state()
    for law in probes.LAWS:
        draw(law, 2, 3, 4)
    assert torch.equal(torch.get_rng_state(), state)
