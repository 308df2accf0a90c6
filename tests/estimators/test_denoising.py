"""Denoising objectives: control variate, slices, levels, the Parzen width."""

import math

import pytest
import torch
from torch import nn

import estimators
from estimators.score_matching.parzen import parzen_log_likelihood, parzen_sigma
from estimators.testing.references import gaussian_mean, score_matching, score_of


def tanh_net(dim=10, width=32, seed=0):
    g = torch.Generator().manual_seed(seed)
    sizes = (dim, width, width, 1)
    layers = []
    for i in range(3):
        layers += [nn.utils.skip_init(nn.Linear, sizes[i], sizes[i + 1]), nn.Tanh()]
        nn.init.normal_(layers[-2].weight, std=1 / math.sqrt(sizes[i]), generator=g)
        nn.init.normal_(layers[-2].bias, std=0.2, generator=g)
    return nn.Sequential(*layers[:-1]).double(), torch.randn(16, dim, generator=g, dtype=torch.float64)


def gradient(net, value):
    gradients = torch.autograd.grad(value.mean(), net.parameters(), allow_unused=True, materialize_grads=True)
    return torch.cat([g.flatten() for g in gradients])


def relative_std(name, net, x, draws=40, **options):
    """Of one draw of the θ-gradient, relative to the exact score-matching gradient."""
    exact = gradient(net, estimators.get("sm_exact")(net, x))
    draws = torch.stack(
        [
            gradient(net, estimators.get(name)(net, x, generator=torch.Generator().manual_seed(seed), **options))
            for seed in range(draws)
        ]
    )
    return float(draws.var(0).sum().sqrt() / exact.norm())


def test_noise_of_the_gradient_follows_the_published_orders():
    """Single-draw std on a 10-32-32-1 tanh energy and 16 points: what diverges with σ, and what stays.

    DSM and the one-sided Taylor trace grow as 1/σ; the control variate and the antithetic form stay at the level of
    sliced score matching with Gaussian probes. Ratios within a fifth; 40 draws fix them to a few per cent.
    """
    net, x = tanh_net()
    sliced = relative_std("ssm_vr", net, x, law="gaussian")
    for name, options in (("dsm", {}), ("taylor_trace_sm", {"form": "one_sided"})):
        coarse, fine = (relative_std(name, net, x, sigma=s, **options) for s in (0.1, 0.01))
        assert fine / coarse == pytest.approx(10, rel=0.2)
        assert fine > 20 * sliced
    for name in ("dsm_cv", "taylor_trace_sm"):
        assert relative_std(name, net, x, sigma=0.01) == pytest.approx(sliced, rel=0.2)
    assert relative_std("ssm_vr", net, x) < sliced
    assert relative_std("ssm_vr", net, x, law="coordinate", probes=5) < 0.6 * sliced


def test_the_control_variate_changes_no_mean():
    """dsm − dsm_cv on the same noise is s(x)ᵀz/σ + (‖z‖² − D)/2σ², exactly, in value and in θ-gradient."""
    net, x = tanh_net(dim=4)
    sigma = 0.3
    plain, cv = (
        estimators.get(n)(net, x, generator=torch.Generator().manual_seed(3), sigma=sigma) for n in ("dsm", "dsm_cv")
    )
    z = estimators.probes.draw("gaussian", 1, x, torch.Generator().manual_seed(3))[0]
    s = score_of(_Density(net))(x.requires_grad_(True))
    removed = (s * z).sum(-1) / sigma + ((z**2).sum(-1) - 4) / (2 * sigma**2)
    torch.testing.assert_close(plain - cv, removed)
    torch.testing.assert_close(gradient(net, plain - cv), gradient(net, removed))


class _Density:
    def __init__(self, net):
        self.log_density = lambda x: net(x).squeeze(-1)


@pytest.mark.parametrize("law", ["sphere", "gaussian", "coordinate", "rademacher"])
def test_slices_average_to_the_whole(law):
    """Mean over directions of the sliced residual is the whole one: 6 standard errors, false failure below 1e-7."""
    net, x = tanh_net(dim=4)
    x = x[:2]
    rows = x.repeat(20_000, 1)
    with torch.no_grad():
        whole = estimators.get("dsm_cv")(net, rows, generator=torch.Generator().manual_seed(1), sigma=0.5)
        sliced = estimators.get("dsm_sliced")(net, rows, generator=torch.Generator().manual_seed(0), sigma=0.5, law=law)
    for a, b in zip(whole.view(-1, 2).T, sliced.view(-1, 2).T, strict=True):
        error = math.sqrt(float(a.var() + b.var()) / 20_000)
        assert abs(float(a.mean() - b.mean())) < 6 * error


def test_annealed_levels_are_the_weighted_mean_of_single_ones():
    """Against quadrature at each level, in value and along the θ-gradient: 6 standard errors; false failure
    below 1e-7."""
    net, x = tanh_net(dim=2, width=6)
    x = x[:2]
    levels = [0.8, 0.4, 0.2]
    exact = sum(
        s**2 * (gaussian_mean(lambda p: score_matching(score_of(_Density(net)), p), x, s) + 2 / (2 * s**2))
        for s in levels
    ) / len(levels)
    g = gradient(net, exact)
    values, along = [], []
    for seed in range(32):
        value = estimators.get("dsm_annealed")(
            net,
            x.repeat(500, 1),
            generator=torch.Generator().manual_seed(seed),
            sigma=0.8,
            sigma_min=0.2,
            levels=3,
        )
        values.append(float(value.mean()))
        along.append(float(gradient(net, value) @ g / (g @ g)))
    for sample, expected in ((values, float(exact.mean())), (along, 1.0)):
        sample = torch.tensor(sample, dtype=torch.float64)
        assert abs(sample.mean() - expected) < 6 * sample.std() / 32**0.5
    assert torch.tensor(along).std() / 32**0.5 < 0.05


def test_levels_are_checked():
    net, x = tanh_net(dim=2)
    est, g = estimators.get("dsm_annealed"), torch.Generator()
    with pytest.raises(ValueError, match=r"option sigma_min has to be a number in \(0, sigma = 0.5\]; got 0.7"):
        est(net, x, generator=g, sigma=0.5, sigma_min=0.7)
    with pytest.raises(ValueError, match="option levels has to be a whole number >= 1; got 0"):
        est(net, x, generator=g, levels=0)


def test_the_parzen_width_maximises_a_true_likelihood():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(200, 3, generator=g, dtype=torch.float64)
    sigma = parzen_sigma(x)
    best = parzen_log_likelihood(x, sigma)
    for factor in (0.9, 0.99, 1.01, 1.1):
        assert parzen_log_likelihood(x, factor * sigma) < best
    # two points at distance d: log N(d; σ²I), whose maximum is at σ² = d²/D
    pair = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    assert parzen_sigma(pair) == pytest.approx(5 / 2**0.5, rel=1e-4)
    expected = torch.distributions.MultivariateNormal(torch.zeros(2), 4 * torch.eye(2)).log_prob(pair[1])
    assert float(parzen_log_likelihood(pair, 2.0)) == pytest.approx(float(expected), rel=1e-6)
    for bad, message in ((x[:1], r"N >= 2; got \(1, 3\)"), (torch.ones(3, 2), "all equal")):
        with pytest.raises(ValueError, match=message):
            parzen_sigma(bad)


class _Conditional(nn.Module):
    """s(x, σ) = −a x/(1 + σ²), and at σ = 0 where it is told no level."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(0.7, dtype=torch.float64))
        self.told = []

    def score(self, x, sigma=None):
        self.told.append(sigma)
        return -self.a * x / (1 + (torch.zeros_like(x[:, :1]) if sigma is None else sigma) ** 2)


def test_a_noise_conditional_score_is_told_each_rows_level():
    model, x = _Conditional(), torch.randn(400, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    options = {"sigma": 2.0, "sigma_min": 0.5, "levels": 3, "samples": 50}
    value = estimators.get("dsm_annealed")(model, x, generator=torch.Generator().manual_seed(2), **options)
    (told,) = model.told
    assert told.shape == (50 * 400, 1)
    assert sorted(set(told.flatten().tolist())) == pytest.approx([0.5, 1.0, 2.0])
    # given x, E ½σ²‖s(x + σz, σ) + z/σ‖² = ½ [a²σ²(‖x‖² + σ²D)/(1 + σ²)² − 2aσ²D/(1 + σ²) + D], and its slope in a
    squares, dim, slope, mean = float((x**2).sum(-1).mean()), x.shape[1], 0.0, 0.0
    for sigma in (0.5, 1.0, 2.0):
        shrink, a = sigma**2 / (1 + sigma**2), 0.7
        quadratic = sigma**2 * (squares + sigma**2 * dim) / (1 + sigma**2) ** 2
        mean += (a * a * quadratic / 2 - a * shrink * dim + dim / 2) / 3
        slope += (a * quadratic - shrink * dim) / 3
    # 20 000 draws, 50 of each row averaged: within 5 standard errors, each falsely out once in two million; seeded
    error = float(value.detach().std()) / len(value) ** 0.5
    assert abs(float(value.mean()) - mean) < 5 * error
    slopes = torch.autograd.grad(value, model.a, torch.eye(len(value), dtype=value.dtype), is_grads_batched=True)[0]
    assert abs(float(slopes.mean()) - slope) < 5 * float(slopes.std()) / len(slopes) ** 0.5


def test_objectives_that_do_not_anneal_tell_no_level():
    model, x = _Conditional(), torch.randn(4, 3, dtype=torch.float64)
    for name in ("ssm_vr", "dsm", "sm_exact"):
        estimators.get(name)(model, x, generator=torch.Generator().manual_seed(0))
    assert model.told
    assert all(sigma is None for sigma in model.told)
