"""Errors beyond the mean square: the p± pair, quantiles, and how often their intervals cover."""

import math

import numpy as np
import pytest
import torch

from bench.data.far_mode import draw
from bench.problems.far_mode import far_mode
from bench.statistics.score_errors import quantile, summary

WEIGHT, DISTANCE = 1e-3, 1e3


def score(model, x):
    x = x.clone().requires_grad_(True)
    return torch.autograd.grad(model.log_density(x).sum(), x)[0]


def test_the_squared_error_between_the_pair_is_a_thousand_by_quadrature():
    """E_{p₊}(s₊ − s₋)² = ηR² = 1000, by 80 Gauss–Hermite nodes a mode; 1999 far ones of 2·10⁶ samples say 999.5."""
    nodes, weights = (torch.from_numpy(a) for a in np.polynomial.hermite_e.hermegauss(80))
    x = torch.stack([nodes, nodes + DISTANCE]).unsqueeze(-1)
    mass = weights / math.sqrt(2 * math.pi) * torch.tensor([[1 - WEIGHT], [WEIGHT]], dtype=torch.float64)
    difference = score(far_mode(1, 1.0), x.flatten(0, 1)) - score(far_mode(1, -1.0), x.flatten(0, 1))
    assert float((mass.flatten() * difference.squeeze(-1) ** 2).sum()) == pytest.approx(1000.0, rel=1e-9)


def test_all_but_twice_the_far_weight_of_the_points_see_no_error():
    """p₊ against p₋ at 10⁵ samples of p₊: the (1 − 2η)-quantile is 0, the mean square R² times the far share."""
    x = draw(1.0, 1, 100_000, torch.Generator().manual_seed(0))
    errors = (score(far_mode(1, 1.0), x) - score(far_mode(1, -1.0), x)).norm(dim=-1).numpy()
    found = summary(errors, deltas=(2 * WEIGHT,))
    assert found.quantiles[2 * WEIGHT] == (0.0, 0.0, 0.0) and found.median == (0.0, 0.0, 0.0)
    far = float((x[:, 0] > 500).double().mean())
    assert found.l2[0] ** 2 == pytest.approx(DISTANCE**2 * far, rel=1e-9)
    assert found.l2[1] ** 2 < 1000 < found.l2[2] ** 2


def test_quantiles_are_the_order_statistics_and_their_intervals_those_of_a_plain_bootstrap():
    errors = np.random.default_rng(0).exponential(size=2000)
    found = summary(errors, deltas=(0.1,))
    assert found.quantiles[0.1][0] == np.sort(errors)[1799] and found.median[0] == np.sort(errors)[999]
    generator = np.random.default_rng(1)
    draws = [np.sort(errors[generator.integers(2000, size=2000)])[1799] for _ in range(4000)]
    assert found.quantiles[0.1][1:] == pytest.approx(np.quantile(draws, [0.025, 0.975]), rel=0.02)


def test_intervals_cover_the_quantiles_of_an_exponential():
    """400 samples of 1000: each covers in 95 % ± 4.4 %, four standard errors (2e-4); the seed is fixed."""
    generator = np.random.default_rng(2)
    inside = np.zeros(2)
    for _ in range(400):
        errors = np.sort(generator.exponential(size=1000))
        found = [(quantile(errors, delta), math.log(1 / delta)) for delta in (0.1, 0.5)]
        inside += [low <= truth <= high for (_, low, high), truth in found]
    assert (abs(inside / 400 - 0.95) < 0.044).all()


@pytest.mark.parametrize(
    ("errors", "says"),
    [
        (np.ones(99_999), "a .1 - 0.001.-quantile needs 100000 errors or more; got 99999"),
        (np.full(100_000, np.nan), "finite"),
        (-np.ones(100_000), ">= 0"),
    ],
)
def test_what_cannot_be_summarised_is_refused(errors, says):
    with pytest.raises(ValueError, match=says):
        summary(errors)
