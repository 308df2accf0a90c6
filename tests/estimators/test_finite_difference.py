"""The T-th order finite-difference scheme: weights, orders of error, any length of v, the default step."""

import math
from fractions import Fraction

import pytest
import torch

import estimators
from estimators.directional.difference_scheme import extrapolated, vandermonde

fd = estimators.get("finite_difference")


def sines(seed=0, dim=4, rows=3):
    """Σ_j a_j sin(w_j·x), whose T-th directional derivative is Σ_j a_j (w_j·v)^T sin(w_j·x + Tπ/2)."""
    g = torch.Generator().manual_seed(seed)
    w = torch.randn(5, dim, generator=g, dtype=torch.float64).requires_grad_(True)
    a = torch.randn(5, generator=g, dtype=torch.float64).requires_grad_(True)
    x, v = torch.randn(2, rows, dim, generator=g, dtype=torch.float64)
    return (
        (lambda x: torch.sin(x @ w.T) @ a),
        (lambda x, v, t: (torch.sin(x @ w.T + t * math.pi / 2) * (v @ w.T) ** t) @ a),
        x,
        v,
        (w, a),
    )


@pytest.mark.parametrize(
    ("order", "weights"),
    [
        (1, ["1/2"]),
        (2, ["1"]),
        (3, ["-1", "1/2"]),  # T!/2 · β_k/α_k of the published Vandermonde with β = (−1/3, 1/3)
        (4, ["-4", "1"]),  # T!/2 · β_k/α_k² with the same β
        (5, ["5/2", "-2", "1/2"]),  # β = (1/24, −1/15, 1/40)
        (6, ["15", "-6", "1"]),
    ],
)
def test_weights_are_the_published_ones(order, weights):
    assert [str(w) for w in vandermonde(order).weights] == weights
    beta = {3: (-1, 3), 4: (-1, 3)}.get(order)
    if beta:
        assert vandermonde(order).weights[0] == Fraction(math.factorial(order), 2) * Fraction(*beta)


@pytest.mark.parametrize("extra", [0, 1, 2])
@pytest.mark.parametrize("order", range(1, 9))
def test_the_scheme_differentiates_monomials_exactly_up_to_its_accuracy(order, extra):
    rule = vandermonde(order, extra)
    assert rule.accuracy == 2 + 2 * extra
    for power in range(order + rule.accuracy + 1):
        g = [Fraction(k**power) for k in range(1, len(rule.weights) + 1)]
        mirrored = [(-1) ** power * value for value in g]
        centre = 2 * (power == 0) if rule.even else 0
        sign = 1 if rule.even else -1
        result = sum(w * (p + sign * m - centre) for w, p, m in zip(rule.weights, g, mirrored, strict=True))
        missed = rule.truncation * math.factorial(power) if power == order + rule.accuracy else 0
        assert result == (math.factorial(order) if power == order else missed)


@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize("order", range(1, 7))
def test_extrapolation_is_exact_on_monomials_up_to_twice_its_levels(order, levels):
    rule = extrapolated(order, levels)
    for power in range(order % 2 or 2, order + 2 * levels, 2):
        assert rule.moment(power) == (power == order)
    assert rule.truncation != 0
    if levels == 1:
        assert (rule.nodes, rule.weights) == (vandermonde(order).nodes, vandermonde(order).weights)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_richardson_shrinks_with_power_four_and_six(order):
    f, exact, x, v, _ = sines()
    target = exact(x, v, order)
    for levels in (2, 3):
        errors = [
            (estimators.get("richardson")(f, x, v, order=order, eps=eps, levels=levels) - target).norm().item()
            for eps in (0.8, 0.4)
        ]
        assert math.log2(errors[0] / errors[1]) == pytest.approx(2 * levels, abs=0.6)


@pytest.mark.parametrize("extra", [0, 1])
@pytest.mark.parametrize("order", [1, 2, 3, 4, 5, 6])
def test_the_error_vanishes_with_the_order_declared(order, extra):
    """Value and θ-gradient, between two steps at which truncation rules."""
    f, exact, x, v, theta = sines()
    target = exact(x, v, order)
    g = torch.autograd.grad(target.sum(), theta)
    errors = []
    for eps in (0.2, 0.1):
        value = fd(f, x, v, order=order, eps=eps, extra=extra)
        ours = torch.autograd.grad(value.sum(), theta)
        errors.append(
            (
                (value - target).norm().item(),
                sum((a - b).norm() ** 2 for a, b in zip(ours, g, strict=True)).sqrt().item(),
            )
        )
    for coarse, fine in zip(*errors, strict=True):
        assert math.log2(coarse / fine) == pytest.approx(2 + 2 * extra, abs=0.35)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_v_of_any_length_and_zero(order):
    """eps is the length of the displacement whatever the length of v, and the result is homogeneous of degree T."""
    f, exact, x, v, _ = sines()
    value = fd(f, x, v, order=order)
    torch.testing.assert_close(fd(f, x, 10 * v, order=order), 10**order * value, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(value, exact(x, v, order), rtol=1e-3, atol=1e-3)
    v[1] = 0
    assert fd(f, x, v, order=order)[1] == 0 and torch.isfinite(fd(f, x, v, order=order)).all()
    seen = []
    fd(lambda points: seen.append(points) or f(points), x, 7 * v, order=1, eps=0.3)
    torch.testing.assert_close((seen[0][:3] - x).norm(dim=-1), torch.tensor([0.3, 0.0, 0.3], dtype=torch.float64))


def test_evaluations():
    """T + 1 at extra = 0, two more for each further node, in one batch."""
    for order in range(1, 8):
        for extra in (0, 1):
            shapes = []
            x = torch.ones(2, 3)
            fd(
                lambda points, shapes=shapes: shapes.append(tuple(points.shape)) or points.sum(-1),
                x,
                x,
                order=order,
                extra=extra,
            )
            assert shapes == [(2 * (order + 1 + 2 * extra), 3)]


@pytest.mark.parametrize(("dtype", "allowed"), [(torch.float64, 10), (torch.float32, 10)])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_the_default_step_is_near_the_best_one(order, dtype, allowed):
    """At most ten times the error of the best step of a fine grid, on a function whose derivatives are of order one."""
    f, exact, x, v, _ = sines(rows=64)
    unit = torch.nn.functional.normalize(v, dim=-1)
    target = exact(x, unit, order)

    def error(eps):
        def cast(points):
            return f(points.double()).to(dtype)

        value = fd(cast, x.to(dtype), unit.to(dtype), order=order, eps=eps)
        return (value.double() - target).norm().item()

    assert error(None) <= allowed * min(error(10 ** (-k / 4)) for k in range(40))


def test_float32_loses_all_digits_at_order_six_with_a_small_step():
    f, exact, x, v, _ = sines()
    unit = torch.nn.functional.normalize(v, dim=-1)
    value = fd(lambda p: f(p.double()).float(), x.float(), unit.float(), order=6, eps=0.03)
    assert (value.double() - exact(x, unit, 6)).norm() > 10 * exact(x, unit, 6).norm()
