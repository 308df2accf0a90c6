"""Laplacian estimators against closed forms, and the variances of stochastic ones against theirs."""

import math

import pytest
import torch

import estimators
from estimators import probes as probe_laws

EXACT = [n for n in estimators.names("laplacian") if estimators.get(n).exact and estimators.get(n).needs == "function"]


def points(rows=4, dim=5, seed=0):
    return torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def r2(x):
    return (x**2).sum(-1)


A = torch.randn(5, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
A = (A + A.T) / 2
K = torch.tensor([0.5, 1.0, 1.5, 0.7, 1.2], dtype=torch.float64)
W, C, MEANS = (
    torch.randn(s, generator=torch.Generator().manual_seed(5), dtype=torch.float64) for s in ((6, 5), 6, (3, 5))
)


def ridge(order):
    """Σ_j c_j ‖w_j‖^T tanh⁽ᵀ⁾(w_j·x); tanh″ = −2t(1 − t²), tanh⁗ = 8t(1 − t²)(2 − 3t²)."""
    derivatives = {
        0: lambda t: t,
        2: lambda t: -2 * t * (1 - t**2),
        4: lambda t: 8 * t * (1 - t**2) * (2 - 3 * t**2),
    }
    return lambda x: derivatives[order](torch.tanh(x @ W.T)) @ (C * (W**2).sum(-1) ** (order // 2))


def log_mixture(x):
    """Log of a mixture of three unit Gaussians with weights ∝ 1, 2, 3, up to a constant."""
    weights = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    return torch.logsumexp(torch.log(weights) - 0.5 * ((x.unsqueeze(1) - MEANS) ** 2).sum(-1), 1)


def laplacian_of_log_mixture(x):
    """Σ_k r_k (‖s_k‖² − D) − ‖Σ_k r_k s_k‖², with s_k = μ_k − x and r_k the responsibilities."""
    scores = MEANS - x.unsqueeze(1)
    r = torch.softmax(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64).log() - 0.5 * (scores**2).sum(-1), 1)
    return (r * ((scores**2).sum(-1) - 5)).sum(1) - r2((r.unsqueeze(-1) * scores).sum(1))


CLOSED = {  # name → f, {order: Δ^(order/2) f}
    "ridge": (ridge(0), {2: ridge(2), 4: ridge(4)}),
    "mixture": (log_mixture, {2: laplacian_of_log_mixture}),
    "bump": (
        lambda x: torch.exp(-r2(x) / 2),
        {
            2: lambda x: (r2(x) - 5) * torch.exp(-r2(x) / 2),
            4: lambda x: (r2(x) ** 2 - 14 * r2(x) + 35) * torch.exp(-r2(x) / 2),
        },
    ),
    "quadratic": (
        lambda x: ((x @ A) * x).sum(-1),
        {2: lambda x: 2 * A.trace().expand(x.shape[0]), 4: lambda x: torch.zeros(x.shape[0], dtype=x.dtype)},
    ),
    "quartic": (
        lambda x: ((x @ A) * x).sum(-1) ** 2,
        {
            2: lambda x: 8 * ((x @ A @ A) * x).sum(-1) + 4 * ((x @ A) * x).sum(-1) * A.trace(),
            4: lambda x: (16 * (A @ A).trace() + 8 * A.trace() ** 2).expand(x.shape[0]),
        },
    ),
    "sine product": (
        lambda x: (
            torch.sin(K * x)[:, 0]
            * torch.sin(K * x)[:, 1]
            * torch.sin(K * x)[:, 2]
            * torch.sin(K * x)[:, 3]
            * torch.sin(K * x)[:, 4]
        ),
        {
            2: lambda x: -(K**2).sum() * torch.sin(K * x).prod(-1),
            4: lambda x: (K**2).sum() ** 2 * torch.sin(K * x).prod(-1),
        },
    ),
    "log": (lambda x: torch.log(1 + r2(x)), {2: lambda x: 10 / (1 + r2(x)) - 4 * r2(x) / (1 + r2(x)) ** 2}),
}


@pytest.mark.parametrize("form", CLOSED)
@pytest.mark.parametrize("name", EXACT)
def test_exact_estimators_match_closed_forms(name, form):
    est = estimators.get(name)
    f, laplacians = CLOSED[form]
    x = points()
    compared = 0
    for order, exact in laplacians.items():
        if not est.supports(order):
            continue
        try:
            value = est(f, x, order=order)
        except NotImplementedError as missing:
            pytest.skip(str(missing))
        torch.testing.assert_close(value, exact(x), rtol=1e-9, atol=1e-9)
        compared += 1
    if not compared:
        pytest.skip(f"orders {est.orders}")


def hessian_moments(h):
    diagonal = h.diagonal()
    return (h**2).sum(), (diagonal**2).sum(), h.trace(), ((diagonal - diagonal.mean()) ** 2).mean()


def variance(law, h, m):
    """The variance of the M-probe mean of vᵀHv."""
    d = h.shape[0]
    square, diagonal, trace, spread = hessian_moments(h)
    sphere = 2 * d / (d + 2) * (square - trace**2 / d) / m
    return {
        "gaussian": 2 * square / m,
        "rademacher": 2 * (square - diagonal) / m,
        "sphere": sphere,
        "orthonormal": sphere * (d - m) / (d - 1),
        "coordinate": d**2 / m * (d - m) / (d - 1) * spread,
    }[law]


@pytest.mark.parametrize("m", [1, 3])
@pytest.mark.parametrize("law", probe_laws.LAWS)
def test_hutchinson_variances(law, m):
    """Sample variance of 40 000 draws against the formula, within 5.5 standard errors of a sample variance.

    The standard error is taken from the draws' own fourth moment; false failure below 1e-6 for the ten cases.
    """
    d, n = 5, 40_000
    x = torch.zeros(n, d, dtype=torch.float64)
    f = lambda x: 0.5 * ((x @ A) * x).sum(-1)  # noqa: E731  the Hessian is A
    draws = estimators.get("hutchinson")(f, x, order=2, generator=torch.Generator().manual_seed(1), probes=m, law=law)
    expected = variance(law, A, m)
    centred = (draws - draws.mean()) ** 2
    error = centred.std() / math.sqrt(n)
    assert abs(centred.mean() - expected) < 5.5 * error + 1e-9
    assert abs(draws.mean() - A.trace()) < 5.5 * (expected / n).sqrt() + 1e-9


def test_orthonormal_probes_are_exact_at_m_equal_d_and_beat_the_sphere():
    x = torch.zeros(3, 5, dtype=torch.float64)
    f = lambda x: 0.5 * ((x @ A) * x).sum(-1)  # noqa: E731
    value = estimators.get("hutchinson")(
        f, x, order=2, generator=torch.Generator().manual_seed(1), probes=5, law="orthonormal"
    )
    torch.testing.assert_close(value, A.trace().expand(3))
    assert variance("orthonormal", A, 4) == variance("sphere", A, 4) / 4


def test_the_whole_hessian_needs_no_gradient_of_the_caller():
    x = points()
    with torch.no_grad():
        value = estimators.get("hessian_trace")(CLOSED["bump"][0], x, order=2)
    torch.testing.assert_close(value, CLOSED["bump"][1][2](x))
