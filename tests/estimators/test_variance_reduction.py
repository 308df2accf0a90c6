"""Hutch++ and XTrace: unbiased gradients with detached bases, any rank, and what they gain and lose."""

import pytest
import torch

import estimators

NAMES = ("hutchpp", "xtrace")


def spectrum(decay, rows, dim=12, seed=0):
    """x ↦ ½ xᵀHx with H = U diag(λ e^θ) Uᵀ, with a θ for every row, so that one pass gives each row's own gradient."""
    g = torch.Generator().manual_seed(seed)
    u = torch.linalg.qr(torch.randn(dim, dim, generator=g, dtype=torch.float64))[0]
    theta = torch.zeros(rows, dim, dtype=torch.float64, requires_grad=True)
    values = torch.tensor([decay**k for k in range(dim)], dtype=torch.float64)
    return (lambda x: 0.5 * (((x @ u) ** 2) * (theta.exp() * values)).sum(-1)), theta, values


def draws(name, f, rows, dim=12, seed=0, **options):
    x = torch.zeros(rows, dim, dtype=torch.float64)
    return estimators.get(name)(f, x, order=2, generator=torch.Generator().manual_seed(seed), **options)


@pytest.mark.parametrize(("name", "probes"), [("hutchpp", 3), ("hutchpp", 9), ("xtrace", 2), ("xtrace", 8)])
def test_value_and_gradient_are_unbiased(name, probes):
    """6 standard errors in each of 13 numbers: false failure below 1e-7."""
    f, theta, values = spectrum(0.6, 5000)
    estimate = draws(name, f, 5000, probes=probes)
    (gradients,) = torch.autograd.grad(estimate.sum(), theta)
    error = gradients.std(0) / 5000**0.5
    assert ((gradients.mean(0) - values).abs() < 6 * error + 1e-9).all()
    assert abs(estimate.mean() - values.sum()) < 6 * estimate.std() / 5000**0.5 + 1e-9


def test_a_lower_trace_variance_is_not_a_lower_gradient_variance():
    """The basis follows H, not ∂H/∂θ: with a decaying H and a flat ∂H/∂θ the one falls and the other rises."""
    f, _, _ = spectrum(0.5, 2000)
    flat = torch.randn(12, 12, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    flat = (flat + flat.T) / 2
    theta = torch.zeros(2000, dtype=torch.float64, requires_grad=True)
    both = lambda x: f(x) + 0.5 * theta * ((x @ flat) * x).sum(-1)  # noqa: E731
    variances = {}
    for name in ("hutchinson", "hutchpp"):
        estimate = draws(name, both, 2000, probes=9)
        (gradient,) = torch.autograd.grad(estimate.sum(), theta)
        variances[name] = (estimate.var().item(), gradient.var().item())
        assert abs(gradient.mean() - flat.trace()) < 6 * gradient.std() / 2000**0.5
    assert variances["hutchpp"][0] < variances["hutchinson"][0] / 4
    assert variances["hutchpp"][1] > variances["hutchinson"][1]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rank", [0, 1, 2])
def test_rank_deficient_hessians_stay_finite_and_right(name, rank):
    """A ridge function of one or two directions: the sketch has lower rank than it has columns."""
    g = torch.Generator().manual_seed(3)
    w = torch.randn(max(rank, 1), 6, generator=g, dtype=torch.float64)
    a = torch.full((3000, max(rank, 1)), float(rank > 0), dtype=torch.float64, requires_grad=True)
    estimate = draws(
        name, lambda x: (torch.cosh(x @ w.T) * a).sum(-1), 3000, dim=6, probes=6 if name == "hutchpp" else 8
    )
    (gradients,) = torch.autograd.grad(estimate.sum(), a)
    squares = (w**2).sum(-1)
    assert torch.isfinite(estimate).all() and torch.isfinite(gradients).all()
    assert abs(estimate.mean() - squares.sum() * (rank > 0)) < 6 * estimate.std() / 3000**0.5 + 1e-8
    assert ((gradients.mean(0) - squares).abs() < 6 * gradients.std(0) / 3000**0.5 + 1e-8).all()


def test_probes_that_coincide_do_not_bias_xtrace():
    """Three sign vectors in three dimensions are often equal up to sign: the others then span one dimension only.

    Completing that to two may pick the direction of the probe left out. 6 standard errors, false failure below 1e-7.
    """
    f, theta, values = spectrum(0.5, 40_000, dim=3)
    estimate = draws("xtrace", f, 40_000, dim=3, probes=6)
    (gradients,) = torch.autograd.grad(estimate.sum(), theta)
    assert ((gradients.mean(0) - values).abs() < 6 * gradients.std(0) / 200).all()
    assert abs(estimate.mean() - values.sum()) < 6 * estimate.std() / 200


@pytest.mark.parametrize(("name", "probes"), [("hutchpp", 18), ("xtrace", 12)])
def test_exact_once_the_sketch_spans_everything(name, probes):
    """D = 6: Hutch++ with M/3 = D, and XTrace of rank 4 with five other probes."""
    f, _, values = spectrum(0.5, 5, dim=6)
    if name == "xtrace":
        w = torch.randn(4, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        f, values = (lambda x: 0.5 * ((x @ w.T) ** 2).sum(-1)), (w**2).sum()
    torch.testing.assert_close(draws(name, f, 5, dim=6, probes=probes), values.sum().expand(5), rtol=1e-8, atol=1e-8)


def test_refusals():
    f, _, _ = spectrum(0.5, 2)
    with pytest.raises(ValueError, match="option probes of hutchpp has to be a multiple of 3; got 4"):
        draws("hutchpp", f, 2, probes=4)
    with pytest.raises(ValueError, match=r"option probes of xtrace has to be even and at most 2 D = 24; got 3"):
        draws("xtrace", f, 2, probes=3)
    with pytest.raises(ValueError, match=r"option law of xtrace .*independent probes\); got 'orthonormal'"):
        draws("xtrace", f, 2, law="orthonormal")
