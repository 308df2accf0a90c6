"""Every operation's Taylor rule against nested reverse differentiation, in value and in θ-gradient, float64."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from estimators.taylor import along, rule, rules
from tests.estimators.taylor_operations import (
    OPERATIONS,
    REFERENCES,
    B,
    D,
    PlainLayerNorm,
    square,
    theta,
)


def _points():
    x = torch.tensor([[-1.3, 0.4, 1.1, -0.6], [0.8, 1.7, -0.35, 0.55], [0.25, -0.9, 0.65, 1.45]], dtype=torch.float64)
    v = torch.tensor([[0.5, -1.0, 0.3, 0.8], [1.2, 0.1, -0.7, 0.4], [-0.2, 0.9, 0.6, -1.1]], dtype=torch.float64)
    return x, v


def _nested(f, x, v, order):
    """All derivatives of t ↦ f(x + t v) up to `order`, summed over the result's dimensions after the first."""
    t = torch.zeros(B, dtype=x.dtype, requires_grad=True)
    y = f(x + t[:, None] * v).reshape(B, -1).sum(-1)
    derivatives = [y]
    for _ in range(order):
        if y.requires_grad:
            (y,) = torch.autograd.grad(y.sum(), t, create_graph=True, materialize_grads=True)
        else:
            y = torch.zeros_like(y)
        derivatives.append(y)
    return derivatives


def _gradient(y, w):
    if not y.requires_grad:
        return torch.zeros_like(w)
    return torch.autograd.grad(y.sum(), w, retain_graph=True, materialize_grads=True)[0]


def _assert_close(actual, expected, relative=1e-9):
    scale = expected.abs().max().clamp_min(1.0)
    assert (actual - expected).abs().max() <= relative * scale, f"{actual} is not {expected}"


@pytest.mark.parametrize("name", OPERATIONS)
def test_rule_equals_nested_reverse(name):
    x, v = _points()
    w = theta()

    def f(z):
        return OPERATIONS[name](z, w)

    reference = REFERENCES.get(name, OPERATIONS[name])
    expected = _nested(lambda z: reference(z, w), x, v, 4)
    series = along(f, x, v.unsqueeze(0), 4)
    for k in range(5):
        actual = series.coefficient(k)[0].reshape(B, -1).sum(-1) * math.factorial(k)
        _assert_close(actual, expected[k])
        _assert_close(_gradient(actual, w), _gradient(expected[k], w))
    low = along(f, x, v.unsqueeze(0), 2).coefficient(2)[0].reshape(B, -1).sum(-1) * 2
    _assert_close(low, expected[2])
    _assert_close(_gradient(low, w), _gradient(expected[2], w))


@pytest.mark.parametrize("name", OPERATIONS)
def test_rule_up_to_order_ten_is_its_own_lower_orders_nested(name):
    """D¹⁰ = D² D⁴ D⁴ along v, with the orders up to four held to nested reverse mode above; so for five to nine."""
    x, v = _points()
    w = theta()

    def f(z):
        return OPERATIONS[name](z, w).reshape(B, -1).sum(-1)

    def fourth(g):
        return lambda z: along(g, z, v.unsqueeze(0), 4).coefficient(4)[0] * 24

    eighth = along(fourth(f), x, v.unsqueeze(0), 4)
    tenth = along(fourth(fourth(f)), x, v.unsqueeze(0), 2)
    expected = {4 + k: eighth.coefficient(k)[0] * math.factorial(k) for k in range(5)}
    expected |= {8 + k: tenth.coefficient(k)[0] * math.factorial(k) for k in (1, 2)}
    series = along(f, x, v.unsqueeze(0), 10)
    for k, target in expected.items():
        actual = series.coefficient(k)[0] * math.factorial(k)
        _assert_close(actual, target, 1e-8)
    _assert_close(_gradient(actual, w), _gradient(target, w), 1e-8)


@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, -1.5, 2.0], dtype=torch.float64)])
@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize("name", ["tanh", "div", "softmax", "linear", "pow 2.5", "where", "layer_norm", "gelu", "prod"])
def test_collapsed_top_is_the_sum_over_directions(name, order, weights):
    x, v = _points()
    w = theta()
    directions = torch.stack([v, v.flip(0), v.roll(1, 1)])

    def f(z):
        return OPERATIONS[name](z, w).reshape(B, -1).sum(-1)

    if weights is None:
        each = along(f, x, directions, order)
        together = along(f, x, directions, order, collapsed=True)
    else:
        each = along(f, x, directions, order)
        together = along(f, x, directions, order, collapsed=True, weights=weights)
    factors = torch.ones(3, dtype=torch.float64) if weights is None else weights
    expected = (factors[:, None] * each.coefficient(order)).sum(0)
    single = sum(
        c * along(f, x, d.unsqueeze(0), order).coefficient(order)[0] for c, d in zip(factors, directions, strict=True)
    )
    for actual in (together.coefficient(order)[0], expected):
        _assert_close(actual, single)
        _assert_close(_gradient(actual, w), _gradient(single, w))


@pytest.mark.parametrize(
    "name", ["tanh", "softplus", "gelu", "erf", "sigmoid", "log", "pow 2.5", "softmax", "silu", "sin"]
)
def test_second_gradients_go_through_the_fused_functions(name):
    x, v = _points()
    w = theta()

    def second(y):
        (g,) = torch.autograd.grad(y.sum(), w, create_graph=True)
        return torch.autograd.grad((g * g).sum(), w)[0]

    def f(z):
        return OPERATIONS[name](z, w).reshape(B, -1).sum(-1)

    for order in (2, 3):
        expected = _nested(f, x, v, order)[order]
        actual = along(f, x, v.unsqueeze(0), order).coefficient(order)[0] * math.factorial(order)
        _assert_close(second(actual), second(expected))


@pytest.mark.parametrize("name", OPERATIONS)
def test_series_nest(name):
    x, v = _points()
    w = theta()
    u = v.flip(0)

    def f(z):
        return OPERATIONS[name](z, w).reshape(B, -1).sum(-1)

    def plain(z):
        return REFERENCES.get(name, OPERATIONS[name])(z, w).reshape(B, -1).sum(-1)

    def inner(z):
        return along(f, z, u.unsqueeze(0), 2).coefficient(2)[0]

    actual = along(inner, x, v.unsqueeze(0), 1).coefficient(1)[0] * 2
    x_leaf = x.clone().requires_grad_(True)
    d2 = _nested(plain, x_leaf, u, 2)[2]
    expected = torch.zeros(B, dtype=x.dtype)
    if d2.requires_grad:
        (g,) = torch.autograd.grad(d2.sum(), x_leaf, materialize_grads=True)
        expected = (g * v).sum(-1)
    _assert_close(actual, expected)


@pytest.mark.parametrize("a_shape", [(4,), (2, 4), (3, 2, 4), (3, 3, 2, 4), (1, 2, 4)])
@pytest.mark.parametrize("b_shape", [(4,), (4, 5), (3, 4, 5), (3, 3, 4, 5), (1, 4, 5)])
@pytest.mark.parametrize("which", ["left", "right", "both"])
def test_matmul_of_every_shape(a_shape, b_shape, which):
    """Three rows (order 2, one direction) meet batches of three: a rule that confuses the two is seen."""
    generator = torch.Generator().manual_seed(0)
    draw = {"dtype": torch.float64, "generator": generator}
    a, da, b, db = (torch.randn(shape, **draw) for shape in (a_shape, a_shape, b_shape, b_shape))
    t = torch.zeros(1, dtype=torch.float64)

    def f(t):
        left = a if which == "right" else a + da * t[0]
        right = b if which == "left" else b + db * t[0]
        return (left @ right).reshape(1, -1)

    series = along(f, t, torch.ones(1, 1, dtype=torch.float64), 2)
    first = (0 if which == "right" else da @ b) + (0 if which == "left" else a @ db)
    second = da @ db if which == "both" else torch.zeros_like(a @ b)
    for k, expected in enumerate((a @ b, first, second)):
        _assert_close(series.coefficient(k)[0], expected.reshape(1, -1))


@pytest.mark.parametrize("a_shape", [(), (3,), (1,), (2, 3), (3, 1, 3), (3, 3, 2, 3)])
@pytest.mark.parametrize("b_shape", [(), (3,), (2, 1), (3, 2, 3), (3, 1, 2, 1)])
@pytest.mark.parametrize("which", ["left", "right", "both"])
def test_elementwise_operations_broadcast_as_tensors_do(a_shape, b_shape, which):
    generator = torch.Generator().manual_seed(0)
    draw = {"dtype": torch.float64, "generator": generator}
    a, da, b, db = (torch.rand(shape, **draw) + 1 for shape in (a_shape, a_shape, b_shape, b_shape))
    chosen = torch.rand(3, 1, 2, 3, **draw) > 0.5
    operations = (
        torch.add, torch.sub, torch.mul, torch.div, torch.maximum, lambda p, q: torch.where(chosen, p, q * p)
    )  # fmt: skip

    def operands(t):
        return (a if which == "right" else a + da * t), (b if which == "left" else b + db * t)

    for operation in operations:
        ones = torch.ones(1, 1, dtype=torch.float64)
        series = along(lambda t, op=operation: op(*operands(t[0])).unsqueeze(0), 0 * ones[0], ones, 2)
        t = torch.zeros((), dtype=torch.float64)
        value = operation(*operands(t))
        first = torch.autograd.functional.jacobian(lambda t, op=operation: op(*operands(t)), t)
        second = torch.autograd.functional.jacobian(
            lambda t, op=operation: torch.autograd.functional.jacobian(
                lambda s: op(*operands(s)), t, create_graph=True
            ),
            t,
        )
        for k, expected in enumerate((value, first, second / 2)):
            assert series.coefficient(k).shape[2:] == value.shape
            _assert_close(series.coefficient(k)[0, 0], expected)


def test_modules_of_every_kind():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 3, 2, padding=1), nn.GELU(), nn.BatchNorm2d(3), nn.Flatten(),
        nn.Linear(27, 6), nn.SiLU(), nn.LayerNorm(6), nn.Dropout(0.1), nn.Linear(6, 5), nn.Softplus(), nn.Linear(5, 1),
    ).double().eval()  # fmt: skip
    x, v = _points()
    net[7].__class__ = PlainLayerNorm
    expected = _nested(net, x, v, 3)[3]
    net[7].__class__ = nn.LayerNorm
    actual = along(net, x, v.unsqueeze(0), 3).coefficient(3)[0, :, 0] * 6
    _assert_close(actual, expected)
    for p, q in zip(
        torch.autograd.grad(actual.sum(), list(net.parameters()), allow_unused=True),
        torch.autograd.grad(expected.sum(), list(net.parameters()), allow_unused=True),
        strict=True,
    ):
        if q is not None:
            _assert_close(p, q)


@pytest.mark.parametrize("batch_first", [True, False])
def test_multi_head_attention(batch_first):
    torch.manual_seed(0)
    attention = nn.MultiheadAttention(D, 2, batch_first=batch_first).double().eval()
    x, v = _points()

    def f(z):
        tokens = square(z) if batch_first else square(z).transpose(0, 1)
        out, weights = attention(tokens, tokens, tokens)
        return ((out if batch_first else out.transpose(0, 1)) ** 2).sum((1, 2)) + weights[:, 0, 0]

    expected = _nested(f, x, v, 3)
    series = along(f, x, v.unsqueeze(0), 3)
    for k in range(4):
        _assert_close(series.coefficient(k)[0] * math.factorial(k), expected[k])


def test_comparisons_and_assignments_are_not_silently_wrong():
    x, v = _points()
    seen = along(lambda z: torch.where(z == x, z * z, z), x, v.unsqueeze(0), 2)
    _assert_close(seen.coefficient(2)[0], v * v)

    def assigns(z):
        z[:, 0] = 0.0
        return z

    with pytest.raises(NotImplementedError, match="torch.cat, torch.stack or torch.where"):
        along(assigns, x, v.unsqueeze(0), 2)
    with pytest.raises(NotImplementedError, match=r"no Taylor rule for torch\.remainder"):
        along(lambda z: z % 2, x, v.unsqueeze(0), 2)


def test_an_operation_without_a_rule_is_named_with_the_way_to_add_one():
    x, v = _points()
    with pytest.raises(NotImplementedError, match=r"no Taylor rule for torch\.special\.bessel_j0; add one with @"):
        along(torch.special.bessel_j0, x, v.unsqueeze(0), 2)
    with pytest.raises(NotImplementedError, match=r"Tensor\.add_"):
        along(lambda z: z.add_(1), x, v.unsqueeze(0), 2)
    with pytest.raises(NotImplementedError, match="control flow"):
        along(lambda z: z if z.sum() > z.mean() * 0 + z.sum() * 2 or bool(z) else -z, x, v.unsqueeze(0), 2)


def test_a_rule_can_be_added():
    @rule(torch.special.bessel_j1)
    def pretend(z):
        return z * z

    x, v = _points()
    _assert_close(along(torch.special.bessel_j1, x, v.unsqueeze(0), 2).coefficient(2)[0], v * v)
    assert "torch.special.bessel_j1" in rules()


def test_structural_zeros_stay_absent():
    x, v = _points()
    weight = torch.randn(5, D, dtype=torch.float64)
    series = along(lambda z: F.linear(z, weight) * 2 + 1, x, v.unsqueeze(0), 6)
    assert series.present == (True, True, False, False, False, False, False)
    even = along(lambda z: torch.cos(z * z), torch.zeros_like(x), v.unsqueeze(0), 4)
    assert even.present[4] and not along(lambda z: F.relu(z), x, v.unsqueeze(0), 4).present[2]
