"""Float32 keeps its digits up to order 8, in both tails; float64 against contour integrals, which share no code."""

import math

import numpy as np
import pytest
import torch
from scipy import special
from torch.nn import functional as F

from estimators.taylor import along

FUNCTIONS = {
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": lambda u: F.gelu(u, approximate="tanh"),
    "sin": torch.sin,
    "cos": torch.cos,
    "exp": torch.exp,
    "erf": torch.erf,
    "mish": F.mish,
    "atan": torch.atan,
    "erfc": torch.erfc,
    "logsigmoid": F.logsigmoid,
    "softsign": F.softsign,
    "elu": F.elu,
    "selu": F.selu,
    "celu": lambda u: F.celu(u, 1.5),
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
}

COMPLEX = {
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "softplus": lambda z: np.log1p(np.exp(z)),
    "silu": lambda z: z / (1 + np.exp(-z)),
    "gelu": lambda z: z * 0.5 * (1 + special.erf(z / math.sqrt(2))),
    "sin": np.sin,
    "exp": np.exp,
    "erf": special.erf,
}


def _derivatives(phi, u, order):
    """All derivatives of phi at the points u, (order + 1, points)."""
    series = along(phi, u.unsqueeze(1), torch.ones_like(u).view(1, -1, 1), order)
    return torch.stack([series.coefficient(k).flatten() * math.factorial(k) for k in range(order + 1)])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float32_error_of_every_derivative_is_below_1e_4_of_its_local_size(name):
    """Relative to the largest |φ⁽ᵏ⁾| within ±0.5, for u in [−8, 8]; measured at most 5e-6."""
    step = 0.01
    u = torch.arange(-850, 851).float() * step
    single = _derivatives(FUNCTIONS[name], u, 8)[1:].double()
    double = _derivatives(FUNCTIONS[name], u.double(), 8)[1:]
    local = F.max_pool1d(double.abs().unsqueeze(1), 101, 1, 50).squeeze(1)
    error = ((single - double).abs() / local.clamp_min(1e-30))[:, 50:-50]  # relu's are zero, in both
    assert error.max() < 1e-4, error.amax(1)


@pytest.mark.parametrize("name", COMPLEX)
def test_float64_equals_the_contour_integral(name):
    """φ⁽ᵏ⁾(u) = k!/(n rᵏ) Σ_j φ(u + r ω^j) ω^(−jk), with n = 64 nodes at r = 1, inside every pole's distance."""
    u = np.linspace(-3, 3, 31)
    omega = np.exp(2j * np.pi * np.arange(64) / 64)
    values = COMPLEX[name](u[:, None] + omega)
    actual = _derivatives(FUNCTIONS[name], torch.from_numpy(u), 8)
    for k in range(9):
        expected = math.factorial(k) * (values * omega**-k).mean(1).real
        scale = math.factorial(k) * np.abs(values).max()
        assert np.abs(actual[k].numpy() - expected).max() < 1e-12 * scale
