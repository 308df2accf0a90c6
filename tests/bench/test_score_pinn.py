"""The gradient of a trace: closed form, an independent route, and what squaring a random residual does."""

import pytest
import torch

import estimators
from bench.problems.score_pinn import OrnsteinUhlenbeck, TimeEnergy, probe_variance, residual, squared, two_halves

DIM = 4
T = torch.tensor(0.4, dtype=torch.float64)


@pytest.fixture
def process():
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
