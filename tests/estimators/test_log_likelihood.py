"""Maximum likelihood of flows, and score matching of the same flows without what is constant in x."""

import math

import pytest
import torch
from torch import nn

import estimators
from bench.meters import flops
from estimators.testing.models import Flow, SoftplusNet

DIM = 5


class LinearFlow(nn.Module):
    """y = W(x − m) on a standard normal base: N(m, (WᵀW)⁻¹)."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.weight = nn.Parameter(torch.eye(DIM).double() + 0.4 * torch.randn(DIM, DIM, generator=generator).double())
        self.mean = nn.Parameter(torch.randn(DIM, generator=generator).double())

    def log_density(self, x, constant_log_dets=True):
        y = (x - self.mean) @ self.weight.T
        log_density = -0.5 * (y**2).sum(-1) - 0.5 * x.shape[1] * math.log(2 * math.pi)
        return log_density + torch.linalg.slogdet(self.weight)[1] if constant_log_dets else log_density


@pytest.fixture
def x():
    return torch.randn(7, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def gradients(values, model):
    return torch.autograd.grad(values.mean(), list(model.parameters()), materialize_grads=True, allow_unused=True)


def test_the_likelihood_of_a_linear_flow_is_a_gaussians_in_value_and_in_gradient(x):
    """∇_W of the mean of −log p is W S − W⁻ᵀ, S the rows' second moments about m; ∇_m is −WᵀW(x̄ − m)."""
    model = LinearFlow()
    values = estimators.get("mle")(model, x)
    precision = (model.weight.T @ model.weight).detach()
    normal = torch.distributions.MultivariateNormal(model.mean.detach(), precision_matrix=precision)
    torch.testing.assert_close(values.detach(), -normal.log_prob(x))
    of_weight, of_mean = gradients(values, model)
    centred = (x - model.mean).detach()
    second = centred.T @ centred / len(x)
    weight = model.weight.detach()
    torch.testing.assert_close(of_weight, weight @ second - torch.linalg.inv(weight).T)
    torch.testing.assert_close(of_mean, -(precision @ centred.mean(0)))


def test_an_energy_without_a_constant_has_no_likelihood(x):
    with pytest.raises(NotImplementedError, match="needs flow: log_density of SoftplusNet takes no constant_log_dets"):
        estimators.get("mle")(SoftplusNet(DIM).double(), x)


OBJECTIVES = ("sm_exact", "ssm", "ssm_vr", "taylor_ssm", "dsm", "fd_ssm", "fd_ssm_vr")


@pytest.mark.parametrize("name", OBJECTIVES)
def test_leaving_out_the_constant_log_determinants_changes_no_gradient_and_spares_their_cost(name, x):
    """The same objective of the flow, which skips, and of a function that cannot; finite differences cancel them."""
    model, objective = Flow(DIM).double(), estimators.get(name)
    results, costs = [], []
    for subject in (model, lambda points: model.log_density(points, constant_log_dets=True)):

        def step(subject=subject):
            values = objective(subject, x, generator=torch.Generator().manual_seed(0))
            return values.detach(), torch.cat([g.flatten() for g in gradients(values, model)])

        results.append(step())
        costs.append(flops.count(step))
    rounding = 1e-6 if name == "fd_ssm" else 1e-12  # fd_ssm takes second differences of the values
    for skipped, kept in zip(*results, strict=True):
        torch.testing.assert_close(skipped, kept, rtol=rounding, atol=rounding)
    assert costs[1] - costs[0] >= 2 * (2 * DIM**3 // 3)


def test_a_likelihood_leaves_nothing_out(x):
    """Two LU and two solves of all columns more than without them, and another value."""
    model = Flow(DIM).double()
    full = flops.count(lambda: gradients(estimators.get("mle")(model, x), model))
    without = flops.count(lambda: gradients(-model.log_density(x, constant_log_dets=False), model))
    assert full - without == 2 * (2 * DIM**3 // 3 + 2 * DIM**3)


def test_a_function_of_a_likelihood_is_never_taken_up_to_a_constant(x):
    """A third party's likelihood that needs no more than a function gets the normalised one of a flow."""
    from estimators import protocols

    model = Flow(DIM).double()
    normalised = protocols.adapt(model, "function", up_to_constant=False)(x)
    torch.testing.assert_close(normalised, model.log_density(x, constant_log_dets=True))
    assert (protocols.adapt(model, "function")(x) - normalised).abs().min() > 1e-3
