"""Traces from function values at noised points: biases and variances in closed form."""

import math

import pytest
import torch

import estimators

EXP = lambda x: torch.exp(x).sum(-1)  # noqa: E731  Δ^k f = f, and E f(x + σu) = e^{σ²/2} f
TAYLOR_MEAN = lambda s: 2 * (math.exp(s**2 / 2) - 1) / s**2  # noqa: E731
STEIN_MEAN = lambda s: math.exp(s**2 / 2)  # noqa: E731
MEANS = {
    ("taylor_trace", "one_sided"): TAYLOR_MEAN,
    ("taylor_trace", "antithetic"): TAYLOR_MEAN,
    ("taylor_trace", "richardson"): lambda s: 2 * TAYLOR_MEAN(s / 2**0.5) - TAYLOR_MEAN(s),
    ("stein_trace", "one_sided"): STEIN_MEAN,
    ("stein_trace", "antithetic"): STEIN_MEAN,
}


@pytest.mark.parametrize("key", MEANS)
@pytest.mark.parametrize("sigma", [0.5, 1.0])
def test_the_mean_is_the_heat_semigroups(key, sigma):
    """E f(x + σu) = exp(σ²Δ/2) f in closed form for f = Σ exp(x_i): within 6 standard errors; false failure below
    1e-7."""
    name, form = key
    x = torch.zeros(200_000, 2, dtype=torch.float64)
    value = estimators.get(name)(EXP, x, order=2, generator=torch.Generator().manual_seed(0), sigma=sigma, form=form)
    exact = 2 * MEANS[key](sigma)  # Δf(0) = 2
    error = float(value.std()) / len(x) ** 0.5
    assert abs(float(value.mean()) - exact) < 6 * error
    assert error < 0.05 * exact


def test_leading_biases():
    """σ²/4 Δ²f, −σ⁴/48 Δ³f and σ²/2 Δ²f, relative to Δf, from the closed forms above."""
    for sigma in (0.1, 0.05):
        assert TAYLOR_MEAN(sigma) - 1 == pytest.approx(sigma**2 / 4, rel=0.01)
        assert MEANS["taylor_trace", "richardson"](sigma) - 1 == pytest.approx(-(sigma**4) / 48, rel=0.02)
        assert STEIN_MEAN(sigma) - 1 == pytest.approx(sigma**2 / 2, rel=0.01)


A = torch.randn(5, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
A = (A + A.T) / 2
B = torch.tensor([1.0, -2.0, 0.5, 0.3, 1.0], dtype=torch.float64)


@pytest.mark.parametrize(
    ("name", "form", "formula"),
    [
        ("taylor_trace", "antithetic", lambda s: 2 * (A**2).sum()),
        ("taylor_trace", "one_sided", lambda s: 4 * (B**2).sum() / s**2 + 2 * (A**2).sum()),
        ("stein_trace", "one_sided", lambda s: (2 * 5 + 8) * (B**2).sum() / s**2),
    ],
)
def test_variances(name, form, formula):
    """On bᵀx + ½xᵀAx at zero: 100 000 draws, within 6 standard errors of a sample variance plus the O(1) terms that the
    Stein formula leaves out (5 % at σ = 0.05). False failure below 1e-7."""
    x, sigma = torch.zeros(100_000, 5, dtype=torch.float64), 0.05
    f = lambda x: x @ B + 0.5 * ((x @ A) * x).sum(-1)  # noqa: E731
    value = estimators.get(name)(f, x, order=2, generator=torch.Generator().manual_seed(1), sigma=sigma, form=form)
    centred = (value - value.mean()) ** 2
    slack = 0.05 * formula(sigma) if name == "stein_trace" else 0
    assert abs(centred.mean() - formula(sigma)) < 6 * centred.std() / len(x) ** 0.5 + slack


def test_the_one_sided_form_diverges_where_the_antithetic_does_not():
    x = torch.zeros(20_000, 5, dtype=torch.float64)
    f = lambda x: x @ B + 0.5 * ((x @ A) * x).sum(-1)  # noqa: E731

    def std(form, sigma):
        g = torch.Generator().manual_seed(1)
        return float(estimators.get("taylor_trace")(f, x, order=2, generator=g, sigma=sigma, form=form).std())

    assert std("one_sided", 0.01) > 30 * std("one_sided", 0.5)
    assert std("antithetic", 0.01) == pytest.approx(std("antithetic", 0.5))
    assert std("one_sided", 0.01) > 100 * std("antithetic", 0.01)


def test_antithetic_taylor_is_a_central_difference_of_hutchinson():
    f = lambda x: torch.sin(x).prod(-1)  # noqa: E731
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    taylor = estimators.get("taylor_trace")(
        f, x, order=2, generator=torch.Generator().manual_seed(2), sigma=0.1, probes=3
    )
    central = estimators.get("fd_hutchinson")(
        f, x, order=2, generator=torch.Generator().manual_seed(2), eps=0.1 * 5**0.5, probes=3, law="gaussian"
    )
    torch.testing.assert_close(taylor, central)


def test_fd_laplacian_bias_is_its_leading_term():
    x = torch.zeros(1, 3, dtype=torch.float64)
    for eps in (0.2, 0.1):
        value = estimators.get("fd_laplacian")(EXP, x, order=2, eps=eps)
        assert float(value) / 3 - 1 == pytest.approx(eps**2 / 12, rel=0.01)
        finer = estimators.get("fd_laplacian")(EXP, x, order=2, eps=eps, extra=1)
        assert float(finer) / 3 - 1 == pytest.approx(-(eps**4) / 90, rel=0.02)


@pytest.mark.parametrize("name", ["taylor_trace", "stein_trace"])
def test_forms_are_checked(name):
    with pytest.raises(ValueError, match=rf"option form of {name} has to be one of antithetic, one_sided"):
        estimators.get(name)(EXP, torch.zeros(1, 2), order=2, generator=torch.Generator(), form="twosided")
