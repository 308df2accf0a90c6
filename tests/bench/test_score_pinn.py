"""The gradient of a trace: closed form, an independent route, and what squaring a random residual does."""

import pytest
import torch

import estimators
from bench import problems, references
from bench.point import ProblemSpec
from bench.problems.score_pinn import (
    NOISE,
    OrnsteinUhlenbeck,
    TimeEnergy,
    probe_variance,
    process,
    residual,
    squared,
    two_halves,
)

DIM = 4
T = torch.tensor(0.4, dtype=torch.float64)


@pytest.fixture(name="process")
def another_process():
    rates = torch.tensor([0.5, 1.0, 1.5, 2.0], dtype=torch.float64)
    return OrnsteinUhlenbeck(rates, 1.3, torch.tensor([1.0, -1.0, 0.5, 0.0]).double(), rates.flip(0))


@pytest.fixture
def model():
    return TimeEnergy(DIM, 6, torch.Generator().manual_seed(0))


def estimated(name, seed=0):
    options = {"recompute": False} if name == "hvp_loop" else {}  # recomputed terms are differentiable once
    generator = torch.Generator().manual_seed(seed)
    return lambda f, x: estimators.get(name)(f, x, order=2, generator=generator, **options)


@pytest.mark.parametrize("name", ["hvp_loop", "hvp_vmap", "taylor_laplacian", "hutchinson", "taylor_hutchinson"])
def test_the_true_score_of_an_ornstein_uhlenbeck_process_leaves_no_residual(process, name):
    """Its Hessian is constant in x, so that even a random trace has no error in its gradient."""
    x = process.draw(5, T, torch.Generator().manual_seed(1))
    assert float(residual(process, process, x, T, estimated(name)).detach().abs().max()) < 1e-12


def test_another_noise_or_rate_leaves_one(process):
    other = OrnsteinUhlenbeck(process.rates, 1.0, process.mean, process.variance)
    x = process.draw(5, T, torch.Generator().manual_seed(1))
    assert float(residual(process, other, x, T, estimated("hvp_loop")).detach().abs().min()) > 1e-3


def test_the_residual_is_that_of_nested_forward_mode_in_value_and_in_gradient(process, model):
    x = process.draw(3, T, torch.Generator().manual_seed(1))

    def operator(point, t):
        score = torch.func.grad(lambda y: model.log_density(y[None], t)[0])
        trace = torch.func.jacfwd(score)(point).diagonal().sum()
        s = score(point)
        return 0.5 * process.noise**2 * (trace + s @ s) + (process.rates * point) @ s

    def row(point):
        rate = torch.func.jacfwd(lambda t: torch.func.grad(lambda y: model.log_density(y[None], t)[0])(point))(T)
        return rate - torch.func.jacfwd(lambda y: operator(y, T))(point)

    independent = torch.stack([row(point) for point in x])
    exact = residual(model, process, x, T, estimated("hvp_loop"))
    torch.testing.assert_close(exact, independent, rtol=1e-9, atol=1e-10)
    parameters = list(model.parameters())
    for a, b in zip(
        torch.autograd.grad(squared(exact).mean(), parameters, allow_unused=True, materialize_grads=True),
        torch.autograd.grad(squared(independent).mean(), parameters, allow_unused=True, materialize_grads=True),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10)


def test_an_estimator_that_computes_its_terms_again_refuses_a_gradient_of_its_gradient(process, model):
    """Silently, the third derivative's part of ∇θ would be missing."""
    x = process.draw(3, T, torch.Generator().manual_seed(1))
    r = residual(model, process, x, T, lambda f, x: estimators.get("hvp_loop")(f, x, order=2))
    with pytest.raises(RuntimeError, match="differentiable once; recompute=False"):
        torch.autograd.grad(squared(r).mean(), list(model.parameters()), allow_unused=True)


def test_over_all_probes_the_square_is_off_by_half_the_variance_and_two_halves_by_nothing(process, model):
    """One probe's expectation is a mean over the 2^D sign vectors, so that value and ∇θ are met to the last digits."""
    point = process.draw(1, T, torch.Generator().manual_seed(1))
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0]).double()] * DIM)
    parameters = list(model.parameters())

    def gradient(value):
        options = {"retain_graph": True, "allow_unused": True, "materialize_grads": True}
        return torch.cat([p.flatten() for p in torch.autograd.grad(value, parameters, **options)])

    def along_signs(f, x):
        return estimators.get("taylor")(f, x, signs, order=2)

    exact = squared(residual(model, process, point, T, estimated("hvp_loop"))).mean()
    excess = 0.5 * probe_variance(model, process, point, T, probes=1).mean()
    r = residual(model, process, point.expand(len(signs), DIM), T, along_signs)
    one_probe = squared(r).mean()
    pairs = two_halves(r.repeat(len(signs), 1), r.repeat_interleave(len(signs), 0)).mean()
    for value, expected in ((one_probe, exact + excess), (pairs, exact)):
        torch.testing.assert_close(value, expected, rtol=1e-10, atol=0)
        torch.testing.assert_close(gradient(value), gradient(expected), rtol=1e-9, atol=1e-11)
    assert excess > 0.1 * exact and gradient(excess).norm() > 0.1 * gradient(exact).norm()  # it would have been seen


def test_the_variance_falls_as_one_over_the_probes(process, model):
    """Four probes a row, 4000 times: the mean of the square within five standard errors; the seed is fixed."""
    point = process.draw(1, T, torch.Generator().manual_seed(1))
    exact = float(squared(residual(model, process, point, T, estimated("hvp_loop"))))
    excess = 0.5 * float(probe_variance(model, process, point, T, probes=4))
    generator = torch.Generator().manual_seed(2)
    four = lambda f, x: estimators.get("taylor_hutchinson")(f, x, order=2, generator=generator, probes=4)  # noqa: E731
    values = squared(residual(model, process, point.expand(4000, DIM), T, four)).detach()
    error = float(values.std()) / len(values) ** 0.5
    assert abs(float(values.mean()) - exact - excess) < 5 * error < excess


# As a problem, through the registry of estimators


@pytest.fixture(scope="module")
def cache_folder(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("ESTIMATOR_BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


def spec(**values):
    common = {"model": "score_pinn", "data": "ornstein_uhlenbeck", "dim": DIM, "depth": 2, "width": 6, "batch": 5}
    return ProblemSpec(**{**common, "activation": "tanh", **values})


def value_and_gradient(name, problem, **options):
    value = estimators.get(name)(problem.model, problem.x, generator=torch.Generator().manual_seed(0), **options)
    keep = {"allow_unused": True, "materialize_grads": True}
    gradients = torch.autograd.grad(value.mean(), problem.parameters, **keep)
    return value.detach(), torch.cat([g.flatten() for g in gradients])


@pytest.mark.parametrize("stage", ["init", "trained"])
def test_the_reference_is_had_by_two_routes_and_by_estimators_whose_probes_are_all_coordinates(cache_folder, stage):
    """D coordinates, or D orthonormal directions, have no variance, so that the square has no bias; a half needs D."""
    at = spec(stage=stage)
    problems.prepare(at)
    problem = problems.build(at)
    reverse, forward = (
        references.compute(at, "score_matching", target="residual", route=route) for route in ("reverse", "forward")
    )
    assert reverse.label == "exact squared residual"
    torch.testing.assert_close(reverse.value, forward.value, rtol=1e-9, atol=0)
    assert (reverse.gradient - forward.gradient).norm() <= 1e-9 * reverse.gradient.norm()
    for name, options in (
        ("pinn_exact", {}),
        ("pinn_squared", {"probes": DIM, "law": "coordinate"}),
        ("pinn_two_halves", {"probes": 2 * DIM, "law": "orthonormal"}),
    ):
        value, gradient = value_and_gradient(name, problem, **options)
        torch.testing.assert_close(value, reverse.value, rtol=1e-9, atol=0)
        assert (gradient - reverse.gradient).norm() <= 1e-9 * reverse.gradient.norm(), name


def test_the_square_is_biased_by_half_the_variance_and_two_halves_are_not(cache_folder):
    """4000 draws of four probes: both means within five standard errors (false failures below 1e-6); fixed seeds."""
    problem = problems.build(spec(batch=1))
    model, x = problem.model, problem.x
    equation = OrnsteinUhlenbeck(model.rates, NOISE, model.rates, model.rates)
    exact = float(estimators.get("pinn_exact")(model, x))
    excess = 0.5 * float(probe_variance(model, equation, x, model.time, probes=4))
    for name, expected in (("pinn_squared", exact + excess), ("pinn_two_halves", exact)):
        generator = torch.Generator().manual_seed(3)
        draws = estimators.get(name)(model, x.expand(4000, DIM), generator=generator, probes=4).detach()
        error = float(draws.std()) / len(draws) ** 0.5
        assert abs(float(draws.mean()) - expected) < 5 * error < excess, name


def test_an_odd_number_of_probes_has_no_two_halves(cache_folder):
    problem = problems.build(spec())
    with pytest.raises(ValueError, match="probes of pinn_two_halves has to be an even number >= 2; got 3"):
        value_and_gradient("pinn_two_halves", problem, probes=3)


def test_training_is_on_the_residual_and_lowers_it(cache_folder):
    model = problems.build(spec()).model
    rows = process(DIM).draw(1280, T, torch.Generator().manual_seed(5))
    values = model.learn(rows)
    assert sum(values[-5:]) < 0.7 * sum(values[:5])


def test_a_model_without_an_equation_has_no_residual(cache_folder):
    with pytest.raises(NotImplementedError, match="no equation to leave a residual in"):
        references.compute(ProblemSpec(dim=5, batch=6), "score_matching", target="residual")
    with pytest.raises(NotImplementedError, match="needs residual"):
        estimators.get("pinn_exact")(lambda x: x.sum(-1), torch.zeros(2, 3))


@pytest.mark.parametrize("activation", ["softplus", "tanh", "silu", "gelu"])
def test_the_gradient_of_a_trace_is_the_laplacian_of_a_directional_derivative(cache_folder, activation):
    """v·∇Δq by third derivatives of q itself, in value and in gradient."""
    at = spec(model="trace_gradient", data="gaussian", activation=activation)
    problem = problems.build(at)
    energy, v = problem.model.energy, problem.model.direction

    def trace(point):
        return torch.func.jacfwd(torch.func.grad(lambda y: energy(y).squeeze(-1)))(point).trace()

    value = torch.func.vmap(torch.func.grad(trace))(problem.x) @ v
    keep = {"allow_unused": True, "materialize_grads": True}
    gradient = torch.cat([g.flatten() for g in torch.autograd.grad(value.mean(), problem.parameters, **keep)])
    reference = references.compute(at, "laplacian")
    torch.testing.assert_close(reference.value, value.detach(), rtol=1e-9, atol=1e-12)
    assert (reference.gradient - gradient).norm() <= 1e-9 * gradient.norm()
