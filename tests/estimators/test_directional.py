"""Directional estimators against a closed form at every order they can do, in value and in θ-gradient."""

import pytest
import torch

import estimators

EXACT = [n for n in estimators.names("directional") if estimators.get(n).exact]


def ridge(seed=0, dim=5, units=6, rows=4):
    """Σ_j a_j exp(w_j·x): its T-th directional derivative is Σ_j a_j (w_j·v)^T exp(w_j·x)."""
    g = torch.Generator().manual_seed(seed)
    w = (torch.randn(units, dim, generator=g, dtype=torch.float64) / 2).requires_grad_(True)
    a = torch.randn(units, generator=g, dtype=torch.float64).requires_grad_(True)
    x, v = torch.randn(2, rows, dim, generator=g, dtype=torch.float64)
    return (lambda x: torch.exp(x @ w.T) @ a), (lambda t: (torch.exp(x @ w.T) * (v @ w.T) ** t) @ a), x, v, (w, a)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("name", EXACT)
def test_exact_estimators_match_the_closed_form(name, order):
    est = estimators.get(name)
    if not est.supports(order):
        pytest.skip(f"orders {est.orders}")
    f, exact, x, v, theta = ridge()
    value, target = est(f, x, v, order=order), exact(order)
    torch.testing.assert_close(value, target, rtol=1e-9, atol=1e-9)
    ours, theirs = (torch.autograd.grad(t.mean(), theta) for t in (value, target))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


OF_FUNCTIONS = [name for name in estimators.names("directional") if estimators.get(name).needs != "equilibrium"]


@pytest.mark.parametrize("name", OF_FUNCTIONS)
def test_first_order_is_the_gradient_along_v(name):
    est = estimators.get(name)
    if not est.supports(1):
        pytest.skip(f"orders {est.orders}")
    f, exact, x, v, _ = ridge()
    torch.testing.assert_close(est(f, x, v, order=1), exact(1), rtol=1e-6, atol=1e-6)
