"""Composite score matching: the Gaussian's closed form, and what a forgotten leaf does to it."""

import pytest
import torch

import estimators
from bench.meters import flops
from estimators import testing
from estimators.testing.models import Conditionals


class GaussianConditionals(torch.nn.Module):
    """Of N(μ, S): s_d = −(x_d − μ_d − Σ_{e<d} β_de (x_e − μ_e))/v_d, with v_d the Schur complement."""

    def __init__(self, covariance, mean):
        super().__init__()
        dim = len(covariance)
        slopes, variances = torch.zeros(dim, dim, dtype=torch.float64), torch.empty(dim, dtype=torch.float64)
        for d in range(dim):
            slopes[d, :d] = torch.linalg.solve(covariance[:d, :d], covariance[:d, d])
            variances[d] = covariance[d, d] - covariance[d, :d] @ slopes[d, :d]
        self.slopes, self.variances = torch.nn.Parameter(slopes), torch.nn.Parameter(variances)
        self.mean = torch.nn.Parameter(mean)

    def context(self, x):
        return ((x - self.mean) @ torch.tril(self.slopes, -1).T + self.mean).unsqueeze(-1)

    def conditional_score(self, context, x):
        return -(x - context.squeeze(-1)) / self.variances


@pytest.fixture
def gaussian():
    generator = torch.Generator().manual_seed(0)
    factor = torch.randn(5, 5, dtype=torch.float64, generator=generator)
    mean = torch.randn(5, dtype=torch.float64, generator=generator)
    return GaussianConditionals(factor @ factor.T + torch.eye(5, dtype=torch.float64), mean)


def gradients(values, model):
    return torch.autograd.grad(values.mean(), tuple(model.parameters()))


def test_a_gaussian_has_its_closed_form_in_value_and_gradient(gaussian):
    """With r_d the residual: ½r_d²/v_d² − 1/v_d, ∂/∂v_d = −r_d²/v_d³ + 1/v_d², ∂/∂β_de = −r_d (x_e − μ_e)/v_d²."""
    x = torch.randn(7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    value = estimators.get("csm")(gaussian, x)
    slopes, v, mean = (p.detach() for p in gaussian.parameters())
    centred = x - mean
    residual = centred - centred @ slopes.T
    torch.testing.assert_close(value.detach(), (0.5 * residual**2 / v**2 - 1 / v).sum(-1), rtol=1e-12, atol=1e-12)
    of_slopes, of_variances, of_mean = gradients(value, gaussian)
    torch.testing.assert_close(of_variances, (1 / v**2 - residual**2 / v**3).mean(0), rtol=1e-11, atol=1e-12)
    expected = torch.tril(-(residual / v**2).T @ centred / len(x), -1)
    torch.testing.assert_close(of_slopes, expected, rtol=1e-11, atol=1e-12)
    identity = torch.eye(5, dtype=torch.float64)
    torch.testing.assert_close(of_mean, -((residual / v**2).mean(0) @ (identity - slopes)), rtol=1e-11, atol=1e-12)


def test_on_its_own_distribution_the_gaussians_objective_is_least_and_minus_half_its_fisher_terms(gaussian):
    """E[½s_d² + ∂s_d] = −½/v_d and ∇θ = 0; the 2D points μ ± √D L e_i have the mean and the covariance exactly."""
    slopes, v, mean = (p.detach() for p in gaussian.parameters())
    factor = torch.linalg.inv(torch.eye(5, dtype=torch.float64) - slopes) * v.sqrt()  # x − μ = (I − β)⁻¹ √v ε
    points = mean + 5**0.5 * torch.cat([factor.T, -factor.T])
    value = estimators.get("csm")(gaussian, points)
    torch.testing.assert_close(value.mean().detach(), -0.5 * (1 / v).sum(), rtol=1e-11, atol=0)
    for gradient in gradients(value, gaussian):
        assert float(gradient.norm()) < 1e-10


def forgotten_leaf(model, x):
    """The wrong one: contexts and coordinates from the same leaf."""
    x = x.detach().requires_grad_(True)
    s = model.conditional_score(model.context(x), x)
    (g,) = torch.autograd.grad(s.sum(), x, create_graph=True)
    return (0.5 * s**2 + g).sum(-1)


def test_the_version_that_forgets_the_separate_leaf_is_biased(gaussian):
    """By the sum of all ∂s_d/∂x_e with e < d: Σ β_de/v_d for the Gaussian, in its θ-gradient too."""
    x = torch.randn(7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    right, wrong = estimators.get("csm")(gaussian, x), forgotten_leaf(gaussian, x)
    slopes, v, _ = (p.detach() for p in gaussian.parameters())
    off_diagonal = (slopes / v[:, None]).sum()
    torch.testing.assert_close((wrong - right).detach(), off_diagonal.expand(7))
    assert abs(float(off_diagonal)) > 0.1
    difference = gradients(wrong, gaussian)[0] - gradients(right, gaussian)[0]
    torch.testing.assert_close(difference, torch.tril((1 / v)[:, None].expand(5, 5), -1))


def test_the_battery_refuses_the_forgotten_leaf(monkeypatch):
    monkeypatch.setattr(estimators.registry, "_estimators", dict(estimators.registry._estimators))

    def forgetful(model, x):
        """Composite score matching without the leaf of its own.

        L(x) = Σ_d [ ½ s_d² + Σ_e ∂s_e/∂x_d ].
        """
        return forgotten_leaf(model, x)

    register = estimators.register(
        "forgetful", quantity="score_matching", needs="conditional_scores", target="csm", source="nobody"
    )
    register(forgetful)
    with pytest.raises(AssertionError, match="unbiased"):
        testing.check("forgetful", only=("unbiased",))


def test_points_that_require_gradients_get_them_through_context_and_coordinates():
    model = Conditionals(4).double()
    x = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).requires_grad_(True)
    (ours,) = torch.autograd.grad(estimators.get("csm")(model, x).sum(), x)
    brute = 0.0
    s = model.conditional_score(model.context(x), x)
    for d in range(4):
        (row,) = torch.autograd.grad(s[:, d].sum(), x, create_graph=True)
        brute = brute + (0.5 * s[:, d] ** 2 + row[:, d]).sum()
    (theirs,) = torch.autograd.grad(brute, x)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


class DeepConditionals(Conditionals):
    """With hidden layers before the context, so that their FLOPs can be told apart."""

    def __init__(self, dim, layers):
        super().__init__(dim)
        self.hidden = torch.nn.Sequential(*(torch.nn.Linear(dim, dim, bias=False) for _ in range(layers)))

    def context(self, x):
        return super().context(self.hidden(x))


@pytest.mark.parametrize("step", [False, True])
@pytest.mark.parametrize("dim", [4, 32])
def test_the_context_is_passed_once_whatever_the_dimension(dim, step):
    """One more layer of the context costs one pass, and with θ-gradient three, as declared: no factor D."""
    counts = []
    for layers in (2, 3):
        model, x = DeepConditionals(dim, layers), torch.randn(5, dim)

        def run(model=model, x=x):
            with torch.set_grad_enabled(step):
                value = estimators.get("csm")(model, x)
            return torch.autograd.grad(value.mean(), tuple(model.parameters())) if step else value

        counts.append(flops.count(run))
    cost = estimators.get("csm").cost
    declared = (cost.step_passes if step else cost.passes).at(D=dim, L=2, W=dim)
    assert (counts[1] - counts[0]) / (2 * 5 * dim**2) == declared == (3 if step else 1)


class DeepTail(Conditionals):
    """With a tail of so many hidden layers, shared by the coordinates."""

    def __init__(self, dim, layers, width=8):
        super().__init__(dim)
        inputs = self.context(torch.zeros(1, dim)).shape[-1] + 1
        hidden = [m for _ in range(layers) for m in (torch.nn.Linear(width, width), torch.nn.Softplus())]
        self.deep = torch.nn.Sequential(torch.nn.Linear(inputs, width), *hidden, torch.nn.Linear(width, 1))

    def conditional_score(self, context, x):
        return self.deep(torch.cat([context, x.unsqueeze(-1)], -1)).squeeze(-1)


@pytest.mark.parametrize("step", [False, True])
def test_the_tail_is_passed_twice_for_every_coordinate(step):
    """What the declared passes leave out, as the docstring says: 2 through the tail, and 6 with θ-gradient."""
    dim, rows, width, counts = 5, 3, 8, []
    for layers in (2, 3):
        model, x = DeepTail(dim, layers), torch.randn(rows, dim)

        def run(model=model, x=x):
            with torch.set_grad_enabled(step):
                value = estimators.get("csm")(model, x)
            return torch.autograd.grad(value.mean(), tuple(model.parameters()), allow_unused=True) if step else value

        counts.append(flops.count(run))
    assert (counts[1] - counts[0]) / (2 * rows * dim * width**2) == (6 if step else 2)


@pytest.mark.parametrize("broken", ["context", "conditional_score"])
def test_results_of_another_shape_are_refused(broken):
    model = Conditionals(4)
    original = getattr(model, broken)
    setattr(model, broken, lambda *args: original(*args).unsqueeze(-1))
    with pytest.raises(ValueError, match=broken):
        estimators.get("csm")(model, torch.zeros(2, 4))
