"""The Taylor-mode estimators against closed forms: ridge functions, the quartic, the product of sines."""

import math

import pytest
import torch
from torch import nn

import estimators
from estimators.laplacian.biharmonic_interpolation import degree_five_sphere

B, D, J = 4, 5, 6


def _tanh_derivative(z, order):
    """tanh⁽ⁿ⁾ = p_n(tanh) with p_{n+1}(t) = p_n'(t) (1 − t²)."""
    p = torch.tensor([0.0, 1.0], dtype=z.dtype)
    for _ in range(order):
        slope = p[1:] * torch.arange(1, len(p), dtype=z.dtype)
        p = torch.cat([slope, slope.new_zeros(2)]) - torch.cat([slope.new_zeros(2), slope])
    t = torch.tanh(z)
    return sum(c * t**k for k, c in enumerate(p))


def _sin_derivative(z, order):
    return torch.sin(z + order * math.pi / 2)


PROFILES = {"tanh": (torch.tanh, _tanh_derivative), "sin": (torch.sin, _sin_derivative)}


class Ridge:
    """Σ_j a_j φ(w_j·x + b_j), with every derivative in closed form."""

    def __init__(self, profile):
        generator = torch.Generator().manual_seed(0)
        self.phi, self.derivative = PROFILES[profile]
        self.a, self.w, self.b = (
            torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_(True)
            for shape in ((J,), (J, D), (J,))
        )
        self.parameters = (self.a, self.w, self.b)

    def __call__(self, x):
        return self.phi(x @ self.w.T + self.b) @ self.a

    def directional(self, x, v, order):
        return (self.derivative(x @ self.w.T + self.b, order) * (v @ self.w.T) ** order) @ self.a

    def laplacian(self, x, order):
        return self.derivative(x @ self.w.T + self.b, order) @ (self.a * (self.w**2).sum(-1) ** (order // 2))


class Quartic:
    """(xᵀAx)²."""

    def __init__(self):
        matrix = torch.randn(D, D, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        self.matrix = matrix.requires_grad_(True)
        self.parameters = (self.matrix,)

    def __call__(self, x):
        return torch.einsum("bi,ij,bj->b", x, self.matrix, x) ** 2

    def laplacian(self, x, order):
        a = (self.matrix + self.matrix.T) / 2
        trace, form = a.trace(), torch.einsum("bi,ij,bj->b", x, a, x)
        if order == 4:
            return (16 * (a @ a).trace() + 8 * trace**2).expand(len(x))
        return 8 * (x @ a).square().sum(-1) + 4 * form * trace


class SineProduct:
    """Π_i sin(k_i x_i)."""

    def __init__(self):
        self.k = torch.linspace(0.4, 1.3, D, dtype=torch.float64).requires_grad_(True)
        self.parameters = (self.k,)

    def __call__(self, x):
        return torch.prod(torch.sin(x * self.k), -1)

    def laplacian(self, x, order):
        return (-(self.k**2).sum()) ** (order // 2) * self(x)


def _x(seed=2):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(B, D, generator=generator, dtype=torch.float64)


def _generator():
    return torch.Generator().manual_seed(5)


def _assert_equal(actual, expected, parameters, relative=1e-9):
    assert (actual - expected).abs().max() <= relative * expected.abs().max()
    options = {"retain_graph": True, "materialize_grads": True, "allow_unused": True}
    gradients = [torch.autograd.grad(y.sum(), parameters, **options) for y in (actual, expected)]
    for p, q in zip(*gradients, strict=True):
        assert (p - q).abs().max() <= relative * q.abs().max().clamp_min(1e-3)


@pytest.mark.parametrize("order", range(1, 11))
@pytest.mark.parametrize("profile", PROFILES)
def test_taylor_on_ridges_at_every_order(profile, order):
    f, x, v = Ridge(profile), _x(), _x(3)
    _assert_equal(estimators.get("taylor")(f, x, v, order=order), f.directional(x, v, order), f.parameters)


EXACT = {
    2: [
        ("forward_laplacian", {}),
        ("forward_laplacian", {"chunk": 2}),
        ("taylor_laplacian", {}),
        ("taylor_laplacian", {"chunk": 3}),
        ("sdgd", {"probes": D}),
        ("sdgd", {"probes": D, "chunk": 2}),
        ("taylor_hutchinson", {"probes": D, "law": "orthonormal"}),
        ("taylor_hutchinson", {"probes": D, "law": "coordinate", "chunk": 2}),
    ],
    4: [
        ("nested_forward_laplacian", {}),
        ("nested_forward_laplacian", {"chunk": 2}),
        ("nested_forward_laplacian", {"compress": False}),
        ("biharmonic_interpolation", {}),
        ("biharmonic_interpolation", {"chunk": 4}),
    ],
}


@pytest.mark.parametrize("make", [lambda: Ridge("tanh"), lambda: Ridge("sin"), Quartic, SineProduct])
@pytest.mark.parametrize("order, name, options", [(order, *case) for order, cases in EXACT.items() for case in cases])
def test_exact_laplacians_equal_closed_forms(make, order, name, options):
    f, x, est = make(), _x(), estimators.get(name)
    keywords = {"generator": _generator()} if est.stochastic else {}
    _assert_equal(est(f, x, order=order, **keywords, **options), f.laplacian(x, order), f.parameters)


@pytest.mark.parametrize("dim", [1, 2, 3, 6, 7, 8, 12, 40])
def test_sphere_formula_is_of_degree_five(dim):
    directions, weights = degree_five_sphere(dim, torch.float64, torch.device("cpu"))
    assert len(weights) in ((dim + 1) * (dim + 2) // 2, dim * (dim + 1) // 2, 1)
    fourth = torch.einsum("r,ri,rj,rk,rl->ijkl", weights, *(directions,) * 4) if dim <= 12 else None
    torch.testing.assert_close(weights.sum(), torch.tensor(1.0, dtype=torch.float64))
    torch.testing.assert_close(
        torch.einsum("r,ri,rj->ij", weights, directions, directions), torch.eye(dim, dtype=torch.float64) / dim
    )
    if fourth is not None:
        eye = torch.eye(dim, dtype=torch.float64)
        pairs = [torch.einsum(f"{p},{q}->ijkl", eye, eye) for p, q in (("ij", "kl"), ("ik", "jl"), ("il", "jk"))]
        torch.testing.assert_close(fourth, sum(pairs) / (dim * (dim + 2)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("law", ["rademacher", "gaussian", "sphere", "orthonormal", "coordinate"])
def test_probes_are_those_of_the_reverse_mode_estimators(law):
    f, x = Ridge("tanh"), _x()
    for taylor, reverse in (("taylor_hutchinson", "hutchinson"), ("taylor_ssm", "ssm")):
        options = {"probes": 3, "law": law}
        expected = estimators.get(reverse)(f, x, generator=_generator(), **options)
        for chunk in (None, 1, 2):
            actual = estimators.get(taylor)(f, x, generator=_generator(), chunk=chunk, **options)
            _assert_equal(actual, expected, f.parameters)


def test_taylor_ssm_of_a_vector_field():
    class Field:
        def __init__(self):
            self.net = nn.Sequential(nn.Linear(D, 7), nn.SiLU(), nn.Linear(7, D)).double()

        def score(self, x):
            return self.net(x)

    torch.manual_seed(0)
    field = Field()
    for probes in (1, 3):
        pair = [
            estimators.get(name)(field, _x(), generator=_generator(), probes=probes) for name in ("taylor_ssm", "ssm")
        ]
        _assert_equal(*pair, list(field.net.parameters()))


def test_taylor_ssm_gradient_equals_ssm_to_1e_6_in_float32():
    torch.manual_seed(0)
    net = nn.Sequential(*(m for _ in range(4) for m in (nn.Linear(64, 64), nn.Softplus())), nn.Linear(64, 1))
    x = torch.randn(128, 64)
    flat = []
    for name in ("taylor_ssm", "ssm"):
        loss = estimators.get(name)(net, x, generator=_generator()).mean()
        gradients = torch.autograd.grad(loss, list(net.parameters()), allow_unused=True, materialize_grads=True)
        flat.append(torch.cat([g.flatten() for g in gradients]))
    assert (flat[0] - flat[1]).norm() <= 1e-6 * flat[1].norm()


def test_sm_forward_equals_sm_exact():
    for f in (Ridge("tanh"), Quartic()):
        expected = estimators.get("sm_exact")(f, _x())
        for options in ({}, {"chunk": 2}, {"compress": False}):
            _assert_equal(estimators.get("sm_forward")(f, _x(), **options), expected, f.parameters)
    net = nn.Sequential(nn.Linear(D, 3), nn.Softplus(), nn.Linear(3, 1)).double()  # compressed: 3 columns, not 5
    pair = [estimators.get(name)(net, _x()) for name in ("sm_forward", "sm_exact")]
    _assert_equal(*pair, list(net.parameters()))


@pytest.mark.parametrize("law", ["gaussian", "sphere"])
def test_stochastic_biharmonic_is_unbiased(law):
    """20 000 draws on a quartic, whose Δ² is constant: |z| < 5 fails by chance once in 10⁶."""
    f = Quartic()
    x = _x()[:1]
    draws = estimators.get("stochastic_biharmonic")(
        f, x.expand(20000, D), order=4, generator=_generator(), probes=1, law=law
    ).detach()
    exact = f.laplacian(x, 4)[0].detach()
    assert abs(draws.mean() - exact) < 5 * draws.std() / math.sqrt(len(draws))
    assert draws.std() / math.sqrt(len(draws)) < 0.05 * abs(exact)
    many = estimators.get("stochastic_biharmonic")(f, x, order=4, generator=_generator(), probes=6, law=law, chunk=4)
    once = estimators.get("stochastic_biharmonic")(f, x, order=4, generator=_generator(), probes=6, law=law)
    _assert_equal(many, once, f.parameters)


@pytest.mark.parametrize("law", ["rademacher", "orthonormal", "coordinate"])
def test_laws_that_would_be_biased_at_order_four_are_refused(law):
    with pytest.raises(ValueError, match="law of stochastic_biharmonic has to be one of gaussian, sphere"):
        estimators.get("stochastic_biharmonic")(Quartic(), _x(), order=4, generator=_generator(), law=law)


def test_sdgd_refuses_more_coordinates_than_there_are():
    with pytest.raises(ValueError, match="at most D = 5"):
        estimators.get("sdgd")(Quartic(), _x(), generator=_generator(), probes=6)


def test_sdgd_over_all_subsets():
    """Mean and variance over the ten pairs of five coordinates: Δf and (D²/M) (D−M)/(D−1) Var_i ∂²f/∂x_i².

    Each pair's estimate is found by its value among 400 seeds, which all miss one with probability 5e-18.
    """
    f, x = Ridge("tanh"), _x()
    draws = torch.stack(
        [estimators.get("sdgd")(f, x, generator=torch.Generator().manual_seed(s), probes=2) for s in range(400)]
    ).detach()
    _, first = torch.unique(draws[:, 0].mul(1e9).round(), return_inverse=True)
    pairs = torch.stack([draws[first == k][0] for k in range(int(first.max()) + 1)])
    assert len(pairs) == 10
    coordinates = torch.eye(5, dtype=torch.float64)
    second = torch.stack([f.directional(x, e.expand_as(x), 2) for e in coordinates]).detach()  # (D, B)
    torch.testing.assert_close(pairs.mean(0), f.laplacian(x, 2).detach(), rtol=1e-9, atol=1e-9)
    variance = 5**2 / 2 * (5 - 2) / (5 - 1) * second.var(0, unbiased=False)
    torch.testing.assert_close(pairs.var(0, unbiased=False), variance, rtol=1e-9, atol=1e-9)


NAMES = [
    "taylor",
    "forward_laplacian",
    "taylor_laplacian",
    "taylor_hutchinson",
    "sdgd",
    "taylor_ssm",
    "sm_forward",
]
NAMES += ["nested_forward_laplacian", "biharmonic_interpolation", "stochastic_biharmonic"]


@pytest.mark.parametrize("name", NAMES)
def test_float32_and_the_value_path(name):
    est = estimators.get(name)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(D, 6), nn.Softplus(), nn.Linear(6, 6), nn.SiLU(), nn.Linear(6, 1))
    x, v = _x().float(), _x(3).float()
    args = (net, x, v) if est.quantity == "directional" else (net, x)

    def call(*args):
        keywords = {"generator": _generator()} if est.stochastic else {}
        order = 3 if est.quantity == "directional" else est.orders[0]
        return est(*args, order=order, **keywords)

    step = call(*args)
    assert step.dtype == torch.float32 and step.requires_grad
    with torch.no_grad():
        value = call(*args)
    assert not value.requires_grad
    torch.testing.assert_close(value, step.detach(), rtol=1e-6, atol=1e-6)
    double = call(net.double(), *(a.double() for a in args[1:]))
    torch.testing.assert_close(step.double(), double, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("order", [3, 5])
def test_a_derivative_that_is_zero_by_structure_has_a_gradient_of_zero(order):
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(D, D, generator=generator, dtype=torch.float64).requires_grad_(True)
    x, v = (torch.randn(B, D, generator=generator, dtype=torch.float64) for _ in range(2))
    value = estimators.get("taylor")(lambda z: ((z @ matrix) * z).sum(-1), x, v, order=order)
    assert torch.equal(value, torch.zeros(B, dtype=torch.float64))
    (gradient,) = torch.autograd.grad(value.mean(), matrix)
    assert torch.equal(gradient, torch.zeros_like(matrix))
