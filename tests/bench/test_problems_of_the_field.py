"""Autoregressive, equilibrium and flow models: what their protocols promise, and closed forms."""

import math

import pytest
import torch

from bench import problems, references
from bench.exact.gradient import exact_gradient
from bench.point import ProblemSpec
from bench.problems.images import LayerNorm
from estimators.estimator import QUANTITIES


@pytest.fixture(autouse=True, scope="module")
def cache_folder(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("ESTIMATOR_BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


def built(**values):
    spec = ProblemSpec(**{"dim": 5, "depth": 2, "width": 12, "batch": 6, **values})
    problems.prepare(spec)
    return problems.build(spec)


# Autoregressive conditional scores


@pytest.mark.parametrize(("dim", "depth"), [(1, 1), (2, 2), (5, 3)])
def test_a_context_sees_only_the_coordinates_before_its_own(dim, depth):
    problem = built(model="made", dim=dim, depth=depth)
    x = problem.x[:1]
    jacobian = torch.autograd.functional.jacobian(lambda row: problem.model.context(row)[0].sum(-1), x)[:, 0]
    assert torch.equal(jacobian, torch.tril(jacobian, -1))
    if dim > 1:
        assert (jacobian.diagonal(-1) != 0).all()


class LinearConditionals(torch.nn.Module):
    """The conditional scores of N(μ, S): s_d = −(x_d − μ_d − Σ_{e<d} β_de (x_e − μ_e)) / v_d."""

    def __init__(self, covariance):
        super().__init__()
        dim = len(covariance)
        slopes = torch.zeros(dim, dim, dtype=torch.float64)
        variances = torch.empty(dim, dtype=torch.float64)
        for d in range(dim):
            slopes[d, :d] = torch.linalg.solve(covariance[:d, :d], covariance[:d, d])
            variances[d] = covariance[d, d] - covariance[d, :d] @ slopes[d, :d]
        self.slopes, self.log_variances = torch.nn.Parameter(slopes), torch.nn.Parameter(variances.log())

    def context(self, x):
        return (x @ torch.tril(self.slopes, -1).T).unsqueeze(-1)

    def conditional_score(self, context, x):
        return -(x - context.squeeze(-1)) * (-self.log_variances).exp()

    def score(self, x):
        return self.conditional_score(self.context(x), x)


def test_composite_score_matching_of_a_gaussian_is_its_formula_and_the_forgotten_leaf_is_not():
    factor = torch.randn(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    model = LinearConditionals(factor @ factor.T + torch.eye(4, dtype=torch.float64))
    x = torch.randn(7, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    precisions = (-model.log_variances).exp().detach()
    expected = (0.5 * model.score(x).square().sum(-1) - precisions.sum()).detach()
    for route in ("separate_leaf", "reverse", "forward"):
        torch.testing.assert_close(exact_gradient(model, "score_matching", 2, x, route=route)[0], expected)
    leaf = x.clone().requires_grad_(True)
    (forgotten,) = torch.autograd.grad(model.score(leaf).sum(), leaf)
    assert (forgotten.sum(-1) + precisions.sum()).abs().min() > 0.1


def test_composite_score_matching_has_its_own_label():
    spec = ProblemSpec(model="made", dim=5, depth=2, width=12, batch=6)
    assert references.compute(spec, "score_matching", target="csm").label == "exact csm"
    with pytest.raises(NotImplementedError, match="no conditional scores"):
        references.compute(ProblemSpec(dim=5, batch=6), "score_matching", target="csm")


# Equilibrium models


@pytest.mark.parametrize("activation", ["softplus", "tanh", "silu", "gelu"])
@pytest.mark.parametrize("depth", [1, 8, 32])
def test_the_fixed_point_is_one_and_contracts_as_set(activation, depth):
    problem = built(model="deq", activation=activation, depth=depth)
    model, x = problem.model, problem.x
    z = model.fixed_point(x)
    torch.testing.assert_close(model.layer(z, x), z, rtol=0, atol=1e-12)
    jacobian = torch.func.vmap(torch.func.jacfwd(model.layer))(z.detach(), x)
    assert float(torch.linalg.matrix_norm(jacobian.detach(), 2).max()) <= depth / (depth + 1) + 1e-12
    spectral = float(torch.linalg.matrix_norm(model.inner.detach(), 2)) * model.largest_slope
    assert spectral == pytest.approx(depth / (depth + 1))


def test_largest_slopes_are_the_suprema_of_the_activations():
    from bench.exact.activations import ACTIVATIONS
    from bench.problems.deq import LARGEST_SLOPE, SMOOTH

    grid = torch.linspace(-20, 20, 400_001, dtype=torch.float64)
    assert set(LARGEST_SLOPE) == set(SMOOTH)
    for name, bound in LARGEST_SLOPE.items():
        top = float(ACTIVATIONS[name].derivative(1, grid).abs().max())
        assert top <= bound + 1e-12 and bound == pytest.approx(top, abs=1e-6)


def test_unrolling_the_layer_reaches_the_same_log_density():
    problem = built(model="deq", depth=2)
    z = problem.model.initial(problem.x)
    for _ in range(120):
        z = problem.model.layer(z, problem.x)
    torch.testing.assert_close(
        problem.model.head(z, problem.x), problem.model.log_density(problem.x), rtol=1e-12, atol=0
    )


def test_derivatives_of_the_fixed_point_are_those_of_the_unrolled_layer():
    """Score matching through 150 applications of a layer of contraction 2/3: its truncation is below 1e-20."""
    problem = built(model="deq", depth=2)

    class Unrolled(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def log_density(self, x):
            z = self.model.initial(x)
            for _ in range(150):
                z = self.model.layer(z, x)
            return self.model.head(z, x)

    unrolled = exact_gradient(Unrolled(problem.model), "score_matching", 2, problem.x, route="reverse")
    for route in ("closed_form", "reverse"):
        value, gradients = exact_gradient(problem.model, "score_matching", 2, problem.x, route=route)
        torch.testing.assert_close(value, unrolled[0], rtol=1e-10, atol=1e-12)
        for a, b in zip(gradients, unrolled[1], strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


def test_the_layer_linear_in_z_has_its_closed_form():
    problem = built(model="deq_linear")
    model, x = problem.model, problem.x
    identity = torch.eye(12, dtype=torch.float64)
    z = torch.linalg.solve(identity - model.inner, model.derivative(0, model.first(x)).T).T
    torch.testing.assert_close(model.layer(z, x), z)
    torch.testing.assert_close(model.head(z, x), model.log_density(x))


@pytest.mark.parametrize("model", ["deq", "deq_linear"])
def test_training_keeps_the_contraction(model):
    problem = built(model=model, stage="trained", depth=3)
    slope = getattr(problem.model, "largest_slope", 1.0)
    assert float(torch.linalg.matrix_norm(problem.model.inner.detach(), 2)) * slope <= 0.75 + 1e-9


def test_an_equilibrium_with_kinks_is_refused_with_the_reason():
    with pytest.raises(ValueError, match="needs a smooth activation, one of softplus, tanh, silu, gelu; got 'relu'"):
        problems.check(ProblemSpec(model="deq", activation="relu"))


# Flows


def test_a_linear_flow_is_a_gaussian():
    """With one linear layer, log p is N(x; −W⁻¹b, (WᵀW)⁻¹), as torch.distributions has it."""
    problem = built(model="glow_fc")
    first = problem.model.linears[0]
    problem.model.linears = torch.nn.ModuleList([first])
    weight, bias = first.weight.detach(), first.bias.detach()
    normal = torch.distributions.MultivariateNormal(
        torch.linalg.solve(weight, -bias), precision_matrix=weight.T @ weight
    )
    torch.testing.assert_close(problem.model.log_density(problem.x).detach(), normal.log_prob(problem.x))


@pytest.mark.parametrize("quantity", ["score_matching", "laplacian"])
def test_two_linear_layers_have_a_formula(quantity):
    problem = built(model="glow_fc", depth=1)
    value, gradients = exact_gradient(problem.model, quantity, 2, problem.x, route="closed_form")
    for route in ("reverse", "forward"):
        other, other_gradients = exact_gradient(problem.model, quantity, 2, problem.x, route=route)
        torch.testing.assert_close(value, other, rtol=1e-10, atol=1e-11)
        for a, b in zip(gradients, other_gradients, strict=True):
            assert (a - b).norm() <= 1e-9 * (1e-3 + b.norm())


@pytest.mark.parametrize("model", ["glow_fc", "nice"])
@pytest.mark.parametrize("dim", [2, 5])
def test_flows_skip_only_what_is_constant_in_x(model, dim):
    problem = built(model=model, dim=dim)
    full = problem.model.log_density(problem.x)
    skipped = problem.model.log_density(problem.x, constant_log_dets=False)
    difference = full - skipped
    torch.testing.assert_close(difference, difference[:1].expand_as(difference), rtol=1e-12, atol=1e-12)
    assert abs(float(difference[0].detach())) > 1e-3


@pytest.mark.parametrize("model", ["glow_fc", "nice"])
def test_flows_integrate_to_one(model):
    """Midpoint rule on [−12, 12]² with 241² points."""
    problem = built(model=model, dim=2, width=8)
    line = torch.linspace(-12, 12, 241, dtype=torch.float64)
    grid = torch.cartesian_prod(line, line)
    with torch.no_grad():
        total = problem.model.log_density(grid).exp().sum() * (line[1] - line[0]) ** 2
    assert float(total) == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("model", ["gaussian", "gaussian_mixture", "glow_fc", "nice"])
def test_maximum_likelihood_is_held_against_its_own_reference(model):
    spec = ProblemSpec(model=model, dim=4, depth=1, width=8, batch=6)
    as_target = references.load_or_compute(spec, "score_matching", target="mle")
    likelihood = references.compute(spec, "log_likelihood", 0)
    assert as_target.label == "exact mle" and torch.equal(as_target.gradient, likelihood.gradient)
    torch.testing.assert_close(
        likelihood.value, -problems.build(spec).model.log_density(problems.build(spec).x).detach()
    )
    with pytest.raises(NotImplementedError, match="not normalised"):
        references.compute(ProblemSpec(dim=4, batch=6), "score_matching", target="mle")


# Image energies


@pytest.mark.parametrize("model", ["convnet", "transformer"])
@pytest.mark.parametrize("dim", [64, 196, 784, 3072])
def test_image_energies_have_a_score_of_size_one_in_every_size(model, dim):
    problem = built(model=model, dim=dim, batch=8, width=8)
    x = problem.x.clone().requires_grad_(True)
    (score,) = torch.autograd.grad(problem.model.log_density(x).sum(), x)
    assert 0.5 < float(score.square().sum(-1).mean().sqrt()) < 2.0
    assert (score.abs().amax(0) > 0).all()  # every pixel matters


def test_layer_norm_of_plain_operations_is_layer_norm():
    norm = LayerNorm(7)
    x = torch.randn(3, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(norm(x), torch.nn.functional.layer_norm(x, (7,)))


def test_the_gradient_through_layer_norm_is_the_numeric_one():
    """Where the fused layer norm is wrong by per cents: central differences of the exact objective, step 1e-5."""
    problem = built(model="transformer", dim=64, batch=2, width=8, depth=1)
    weight = problem.model.blocks[0].query_key_value.weight
    _, gradients = exact_gradient(problem.model, "score_matching", 2, problem.x)
    gradient = next(g for p, g in zip(problem.parameters, gradients, strict=True) if p is weight)
    for i, j in ((0, 0), (9, 3), (20, 7)):
        means = []
        for step in (1e-5, -2e-5):
            with torch.no_grad():
                weight[i, j] += step
            means.append(exact_gradient(problem.model, "score_matching", 2, problem.x)[0].mean())
        with torch.no_grad():
            weight[i, j] += 1e-5
        assert float((means[0] - means[1]) / 2e-5) == pytest.approx(float(gradient[i, j]), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("dim", [64, 784, 3072])
def test_a_noise_conditional_score_is_one_network_at_three_levels(dim):
    high, middle, low = (
        built(model=f"ncsn_{level}", dim=dim, batch=8, width=32) for level in ("high", "middle", "low")
    )
    assert all(torch.equal(p, q) for p, q in zip(high.model.parameters(), low.model.parameters(), strict=True))
    x = high.x
    assert 0.5 < float(high.model.score(x).square().sum(-1).mean().sqrt()) < 2.0
    level = torch.full_like(x[:, :1], 0.1)
    assert torch.equal(high.model.score(x, level), middle.model.score(x))
    told = 0.1 * middle.model.score(x) - high.model.score(x)  # what the level changes inside
    assert float(told.norm() / high.model.score(x).norm()) > 0.05


def test_image_energies_refuse_other_sizes():
    with pytest.raises(ValueError, match="model 'convnet' has dim 64 or 196 or 784 or 3072; got 65"):
        problems.check(ProblemSpec(model="convnet", dim=65))


def test_every_family_offers_what_it_registers():
    for name, family in problems.MODELS.items():
        dim = min(family.dims) if family.dims is not None else 4
        problem = built(model=name, data=(family.data or ("digits",))[0], dim=dim, batch=3)
        likelihood = "log_likelihood" in family.quantities
        assert set(family.quantities) <= set(QUANTITIES)
        assert likelihood == (family.normalised or name.startswith("encoder"))  # those have the gradient of one alone
        for needs in family.needs:
            if needs == "function":
                assert problem.model.log_density(problem.x).shape == (3,)
            if needs == "layers":
                assert isinstance(problem.model.layers, torch.nn.Sequential)
            if needs == "flow":
                assert problem.model.log_density(problem.x, constant_log_dets=False).shape == (3,)
            if needs == "conditional_scores":
                context = problem.model.context(problem.x)
                assert context.shape[:2] == (3, dim)
                assert problem.model.conditional_score(context, problem.x).shape == (3, dim)
            if needs == "residual":
                assert problem.model.residual(problem.x, lambda f, x: f(x)).shape == (3, dim)
            if needs == "equilibrium":
                z = problem.model.layer(problem.model.initial(problem.x), problem.x)
                assert problem.model.head(z, problem.x).shape == (3,)
        assert math.isfinite(float(sum(p.detach().sum() for p in problem.parameters)))
