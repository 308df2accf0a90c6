"""Every operation's Taylor rule against nested reverse differentiation, in value and in θ-gradient, float64."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from estimators.taylor import along, rule, rules

B, D = 3, 4


def _theta():
    return torch.linspace(-0.7, 0.9, D, dtype=torch.float64).requires_grad_(True)


def _square(z):
    return torch.stack([z, z.flip(-1) * 0.5 + 0.2, torch.sin(z), z * z], -2)


# Each is f(z, w): z is (B, D), between −2 and 2 and away from kinks; w is θ, (D,). Results have B first.
OPERATIONS = {
    "add": lambda z, w: z + w + 1.5 + z * z,
    "add alpha": lambda z, w: torch.add(z * z, z, alpha=0.3) + torch.add(w, z, alpha=2),
    "sub": lambda z, w: (1.5 - z) * (z - w) * (w - z),
    "mul": lambda z, w: z * w * z * 3.0,
    "div": lambda z, w: (z + w) / (3 + z * z) + z / w + w / (z * z + 1) + 1 / (2.5 + z),
    "reciprocal": lambda z, w: torch.reciprocal(z * w + 4),
    "neg": lambda z, w: (-z) ** 3,
    "pow 2": lambda z, w: z**2 * w,
    "pow 3": lambda z, w: torch.pow(z, 3),
    "pow 7": lambda z, w: (z * w) ** 7,
    "pow 2.5": lambda z, w: (3 + z * w) ** 2.5,
    "pow -2": lambda z, w: (3 + z) ** -2,
    "pow 0": lambda z, w: z**0 * z * w,
    "pow tensor": lambda z, w: (3 + z) ** (z * w),
    "pow exponent": lambda z, w: 2.0 ** (z * w),
    "pow base tensor": lambda z, w: (w + 2.5) ** z,
    "exp": lambda z, w: torch.exp(z * w),
    "expm1": lambda z, w: torch.expm1(z * w),
    "log": lambda z, w: torch.log(3 + z * w),
    "log1p": lambda z, w: torch.log1p(2.2 + z * w),
    "sqrt": lambda z, w: (3 + z * w).sqrt(),
    "rsqrt": lambda z, w: torch.rsqrt(3 + z * w),
    "sin": lambda z, w: torch.sin(2 * z * w),
    "cos": lambda z, w: torch.cos(2 * z * w),
    "tan": lambda z, w: torch.tan(0.5 * z * w),
    "sinh": lambda z, w: torch.sinh(z * w),
    "cosh": lambda z, w: torch.cosh(z * w),
    "atan": lambda z, w: torch.atan(z * w),
    "tanh": lambda z, w: torch.tanh(z * w),
    "sigmoid": lambda z, w: torch.sigmoid(2 * z * w),
    "logsigmoid": lambda z, w: F.logsigmoid(2 * z * w),
    "softplus": lambda z, w: F.softplus(z * w, beta=2),
    "silu": lambda z, w: F.silu(z * w),
    "gelu": lambda z, w: F.gelu(z * w),
    "gelu tanh": lambda z, w: F.gelu(z * w, approximate="tanh"),
    "mish": lambda z, w: F.mish(z * w),
    "softsign": lambda z, w: F.softsign(z * w),
    "erf": lambda z, w: torch.erf(z * w),
    "erfc": lambda z, w: torch.erfc(z * w),
    "relu": lambda z, w: F.relu(z * z * w),
    "leaky_relu": lambda z, w: F.leaky_relu(z * z * z * w, 0.1),
    "elu": lambda z, w: F.elu(z * w, 1.3),
    "selu": lambda z, w: F.selu(z * w),
    "celu": lambda z, w: F.celu(z * w, 2.0),
    "abs": lambda z, w: (z * z * w).abs() + abs(z),
    "clamp": lambda z, w: torch.clamp(z * z * w, -0.5, 0.6) + (z * w).clamp(min=0.1) + z.clamp(max=w),
    "hardtanh": lambda z, w: F.hardtanh(z * z * w) + F.relu6(z * z * w),
    "where": lambda z, w: torch.where(z > w, z * z * w, torch.sin(z)) + torch.where(z > 0, z, 0.5),
    "maximum": lambda z, w: torch.maximum(z * z, w) + torch.minimum(z * w, z * z),
    "max": lambda z, w: (z * z * w).max(-1)[0] + (z * z).amax(-1) * (z * w).amin(-1, keepdim=False),
    "linear": lambda z, w: F.linear(F.linear(z, _weight(w), w) ** 2, _weight(w)),
    "matmul": lambda z, w: (z @ _weight(w)) * (z @ w).unsqueeze(-1) + torch.matmul(z * z, _weight(w).T),
    "matmul left": lambda z, w: (_weight(w) @ _square(z) @ _square(z).mT).flatten(1),
    "addmm": lambda z, w: torch.addmm(w, z * z, _weight(w)),
    "bmm": lambda z, w: torch.bmm(_square(z) * w, _square(z)).flatten(1),
    "einsum": lambda z, w: torch.einsum("bi,ij,bj->b", z, _weight(w), z) * torch.einsum("bi,i->b", z, w),
    "einsum matrix": lambda z, w: torch.einsum("bij,bkj->bik", _square(z), _square(z) * w).flatten(1),
    "conv2d": lambda z, w: F.conv2d(_square(z).unsqueeze(1) ** 2, w.view(1, 1, 2, 2).repeat(2, 1, 1, 1), w[:2]).flatten(
        1
    ),
    "conv1d": lambda z, w: F.conv1d(z.unsqueeze(1) ** 2, w.view(2, 1, 2), padding=1).flatten(1),
    "conv_transpose2d": lambda z, w: F.conv_transpose2d(_square(z).unsqueeze(1), w.view(1, 1, 2, 2)).flatten(1),
    "avg_pool2d": lambda z, w: (F.avg_pool2d(_square(z * w).unsqueeze(1), 2) ** 2).flatten(1),
    "max_pool2d": lambda z, w: (F.max_pool2d(_square(z * w).unsqueeze(1), 2) ** 2).flatten(1),
    "sum": lambda z, w: (z * z * w).sum(-1) + (z * w).sum(1, keepdim=True)[:, 0] ** 2,
    "mean": lambda z, w: (z * z * w).mean(dim=1) * z.mean(-1),
    "cumsum": lambda z, w: torch.cumsum(z * w, 1) ** 2,
    "prod": lambda z, w: torch.prod(z * w, 1) + torch.prod(z[:, :3], -1),
    "var": lambda z, w: (z * w).var(-1) + (z * z).var(1, unbiased=False) + (z * w).std(dim=1),
    "norm": lambda z, w: torch.norm(z * w, dim=-1) + torch.linalg.vector_norm(z, dim=1) + (z * w).norm(p=3, dim=-1),
    "norm 1": lambda z, w: (z * z * w).norm(p=1, dim=-1) + F.normalize(z * w, dim=-1).sum(-1),
    "logsumexp": lambda z, w: torch.logsumexp(3 * z * w, -1) + torch.logsumexp(z, dim=1, keepdim=True).squeeze(1),
    "softmax": lambda z, w: (torch.softmax(3 * z * w, -1) * z).sum(-1),
    "log_softmax": lambda z, w: F.log_softmax(3 * z * w, dim=-1),
    "layer_norm": lambda z, w: F.layer_norm(z * z + w, (D,), w, w * 2) ** 2,
    "rms_norm": lambda z, w: F.rms_norm(z * z + w, (D,), w) ** 2,
    "group_norm": lambda z, w: F.group_norm(z * z + w, 2, w, w) ** 2,
    "batch_norm": lambda z, w: F.batch_norm(z * z, w.detach(), w.detach() ** 2, w, w) ** 2,
    "attention": lambda z, w: F.scaled_dot_product_attention(_square(z), _square(z * w), _square(z)).flatten(1),
    "reshape": lambda z, w: ((z * w).reshape(B, 2, -1).view(B, 4) ** 2).flatten(1).unflatten(1, (2, 2)).flatten(1),
    "permute": lambda z, w: (_square(z * w).permute(0, 2, 1) @ _square(z)).flatten(1),
    "transpose": lambda z, w: (torch.transpose(_square(z), 1, 2) * w + _square(z).mT ** 2).flatten(1),
    "squeeze": lambda z, w: (z.unsqueeze(1) * w).squeeze(1) * z.unsqueeze(-1).squeeze(),
    "expand": lambda z, w: (z.unsqueeze(1).expand(B, 2, D) * w * z.unsqueeze(1).repeat(1, 2, 1)).flatten(1),
    "index": lambda z, w: (
        z[:, 0] * z[:, -1] * w[0] + z[..., 1:3].sum(-1) * z[:, [0, 2]].sum(-1) + z[:, None, 1, None].flatten()
    ),
    "index tensor": lambda z, w: (
        (z[:, torch.tensor([1, 0, 3])] * w[:3]) ** 2 + z.index_select(1, torch.tensor([0, 0, 1]))
    ),
    "gather": lambda z, w: (z * w).gather(1, torch.tensor([[0, 1], [2, 2], [3, 0]])) ** 2,
    "cat": lambda z, w: torch.cat([z * w, z * z, w.expand(B, D)], -1) ** 2,
    "stack": lambda z, w: (torch.stack([z * w, z, w.expand(B, D)], 1) ** 2).flatten(1),
    "split": lambda z, w: z.chunk(2, -1)[0] * (z * w).split(2, 1)[1] * z.split([1, 3], -1)[0],
    "unbind": lambda z, w: sum(a * b for a, b in zip(z.unbind(1), w.unbind(0), strict=True)) ** 2,
    "roll flip": lambda z, w: z.roll(1, -1) * z.flip(-1) * w,
    "tril diagonal": lambda z, w: (_square(z * w).tril() @ _square(z)).diagonal(dim1=1, dim2=2),
    "movedim narrow": lambda z, w: (_square(z).movedim(1, 2) * w).narrow(1, 0, 2).select(2, 1) ** 2,
    "addcmul lerp": lambda z, w: torch.addcmul(w, z, z, value=0.5) + torch.lerp(z, z * z, 0.3),
    "detach": lambda z, w: z * z.detach() * w + torch.zeros_like(z) + torch.sign(z) * z,
    "dropout": lambda z, w: F.dropout(z * z * w, 0.5, training=False),
    "float": lambda z, w: (z * w).to(torch.float64).double() ** 2,
    "to another's": lambda z, w: w.float().to(z**2) * z**2 + (z * w).to(z),
    "constant": lambda z, w: w.expand(B, D) * 2,
}


def _plain_layer_norm(z, w, eps=1e-5):
    centred = z - z.mean(-1, keepdim=True)
    return centred / ((centred**2).mean(-1, keepdim=True) + eps).sqrt() * w


# Where autograd's own higher derivatives are wrong (the fused layer norm's, on torch 2.13): in plain operations.
REFERENCES = {"layer_norm": lambda z, w: (_plain_layer_norm(z * z + w, w) + w * 2) ** 2}


class _PlainLayerNorm(nn.LayerNorm):
    def forward(self, z):
        return _plain_layer_norm(z, self.weight) + self.bias


def _weight(w):
    return torch.outer(w, w) + torch.diag(w) + 0.3


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
    w = _theta()

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
    w = _theta()

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
    w = _theta()
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
    w = _theta()

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
    w = _theta()
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
    net[7].__class__ = _PlainLayerNorm
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
        tokens = _square(z) if batch_first else _square(z).transpose(0, 1)
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
