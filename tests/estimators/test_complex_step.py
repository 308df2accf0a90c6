"""Complex steps and contours: the holomorphic continuation, its refusals, exactness and the contour's radius."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import estimators
from estimators.holomorphic import continued

POINTS = torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
STEPS = torch.randn(4, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
HOLOMORPHIC = {
    "linear": lambda z: F.linear(z, torch.ones(2, 3, dtype=torch.float64)),
    "softplus": F.softplus,
    "softplus far out": lambda z: F.softplus(100 * z),
    "silu": F.silu,
    "gelu": lambda z: F.gelu(z, approximate="tanh"),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "logsumexp": lambda z: torch.logsumexp(z, -1),
    "einsum": lambda z: torch.einsum("bi,ij->bj", z, torch.ones(3, 3, dtype=torch.float64)),
    "cat with real": lambda z: torch.cat([z, torch.ones(4, 1, dtype=torch.float64)], -1).prod(-1),
    "powers": lambda z: (z**3 / (1 + z**2)).sum(-1),
}
REFUSED = {
    "relu": torch.relu,
    "abs": lambda z: z.abs(),
    "norm": lambda z: z.norm(dim=-1),
    "vector_norm": lambda z: torch.linalg.vector_norm(z, dim=-1),
    "gelu": F.gelu,
    "elu": F.elu,
    "comparison": lambda z: (z > 0).to(z.dtype),
    "real part": lambda z: z.real,
    "max": lambda z: z.max(-1)[0],
}


@pytest.mark.parametrize("name", HOLOMORPHIC)
def test_the_imaginary_part_is_the_derivative(name):
    f = HOLOMORPHIC[name]
    ours = continued(f)(torch.complex(POINTS, 1e-30 * STEPS)).imag / 1e-30
    _, tangent = torch.func.jvp(f, (POINTS,), (STEPS,))
    torch.testing.assert_close(ours, tangent, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_holomorphic_is_refused_by_name(name):
    with pytest.raises(NotImplementedError, match=r"is not holomorphic|takes no complex points|no holomorphic"):
        continued(REFUSED[name])(torch.complex(POINTS, STEPS))


def net(dtype=torch.float64):
    g = torch.Generator().manual_seed(2)
    model = nn.Sequential(
        nn.utils.skip_init(nn.Linear, 3, 8),
        nn.Tanh(),
        nn.utils.skip_init(nn.Linear, 8, 8),
        nn.Softplus(),
        nn.utils.skip_init(nn.Linear, 8, 1),
    )
    for p in model.parameters():
        nn.init.normal_(p, std=1 / math.sqrt(p.shape[-1]), generator=g)
    return model.to(dtype)


@pytest.mark.parametrize(("dtype", "allowed"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("order", [1, 2])
def test_exact_to_rounding_in_value_and_gradient(order, dtype, allowed):
    f = net(dtype)
    x, v = POINTS.to(dtype), STEPS.to(dtype)
    ours, exact = (estimators.get(n)(f, x, v, order=order) for n in ("complex_step", "nested_reverse"))
    assert (ours - exact).norm() < allowed * exact.norm()
    for a, b in zip(
        *(torch.autograd.grad(t.mean(), f.parameters(), allow_unused=True) for t in (ours, exact)), strict=True
    ):
        if b is not None and a is not None:
            assert (a - b).norm() <= 10 * allowed * (b.norm() + 1e-2)


@pytest.mark.parametrize(("order", "allowed"), [(1, 1e-12), (2, 1e-12), (4, 1e-9), (6, 1e-6)])
def test_the_contour_reaches_order_six_in_float64(order, allowed):
    f = net()
    unit = nn.functional.normalize(STEPS, dim=-1)
    exact = estimators.get("nested_reverse")(f, POINTS, unit, order=order)
    value = estimators.get("complex_contour")(f, POINTS, unit, order=order)
    assert (value - exact).norm() < allowed * max(float(exact.norm()), 1)


def test_aliasing_on_the_contour_is_the_t_plus_n_th_coefficient():
    """exp has all derivatives one: the error at x = 0 is T! r^n/(T+n)!, to leading order."""
    x = torch.zeros(1, 1, dtype=torch.float64)
    v = torch.ones(1, 1, dtype=torch.float64)
    for order in (1, 2, 3):
        value = estimators.get("complex_contour")(lambda z: torch.exp(z).sum(-1), x, v, order=order, eps=0.5, points=4)
        expected = math.factorial(order) / math.factorial(order + 4) * 0.5**4
        assert float(value) - 1 == pytest.approx(expected, rel=1e-2)


def test_refusals():
    f = net()
    contour = estimators.get("complex_contour")
    for points in (5, 4, 0):
        with pytest.raises(
            ValueError, match=rf"option points has to be an even number above the order, 4; got {points}"
        ):
            contour(f, POINTS, STEPS, order=4, points=points)
    with pytest.raises(ValueError, match="order of complex_step has to be one of 1, 2; got 3"):
        estimators.get("complex_step")(f, POINTS, STEPS, order=3)
    with pytest.raises(NotImplementedError, match="complex points need float32 or float64"):
        contour(f, POINTS.bfloat16(), STEPS.bfloat16(), order=1)
    with pytest.raises(NotImplementedError, match="relu takes no complex points"):
        contour(lambda x: torch.relu(x).sum(-1), POINTS, STEPS, order=1)
