"""What is taken for a log-density, a score, layers; and what is refused."""

import pytest
import torch
from torch import nn

import estimators
from estimators import protocols

X = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))


class Density:
    def log_density(self, x):
        return -0.5 * (x**2).sum(-1)


class Score:
    def score(self, x):
        return -x


def sequential():
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))


def test_functions():
    net = sequential()
    assert torch.equal(protocols.adapt(net, "function")(X), net(X).squeeze(-1))
    assert torch.equal(protocols.adapt(Density(), "function")(X), Density().log_density(X))
    assert torch.equal(protocols.adapt(Density().log_density, "function")(X), Density().log_density(X))
    with pytest.raises(NotImplementedError, match="needs function: Score has no log_density"):
        protocols.adapt(Score(), "function")
    with pytest.raises(NotImplementedError, match="needs function: int"):
        protocols.adapt(3, "function")


def test_scores():
    assert torch.equal(protocols.adapt(Score(), "score")(X), -X)
    torch.testing.assert_close(protocols.adapt(Density(), "score")(X), -X)
    assert not X.requires_grad
    s = protocols.adapt(sequential(), "score")(X)
    assert s.shape == X.shape and s.requires_grad
    with torch.no_grad():
        assert not protocols.adapt(sequential(), "score")(X).requires_grad

    class Wrong:
        def score(self, x):
            return x[:, :1]

    with pytest.raises(ValueError, match=r"score has to map \(4, 3\) to the same shape; it returned \(4, 1\)"):
        protocols.adapt(Wrong(), "score")(X)


def test_layers():
    class Model:
        layers = sequential()

    assert isinstance(protocols.adapt(Model(), "layers"), nn.Sequential)
    with pytest.raises(NotImplementedError, match="needs layers: Density is no nn.Sequential"):
        protocols.adapt(Density(), "layers")


@pytest.mark.parametrize("needs", ["conditional_scores", "equilibrium"])
def test_missing_methods_are_named(needs):
    with pytest.raises(NotImplementedError, match=rf"needs {needs}: Density has no \w+ and no \w+"):
        protocols.adapt(Density(), needs)


def test_a_linear_density_has_no_curvature_and_raises_nothing():
    """Its score does not depend on x, nor on anything that requires gradients."""
    a = torch.tensor([1.0, 2.0, 3.0])
    generator = torch.Generator().manual_seed(0)
    half = torch.full((4,), 7.0)
    for name in ("sm_exact", "ssm_vr", "fd_ssm_vr"):
        torch.testing.assert_close(
            estimators.get(name)(lambda x: x @ a, X, generator=generator), half, rtol=1e-4, atol=1e-3
        )
    for order in (1, 2, 3):
        value = estimators.get("nested_reverse")(lambda x: x @ a, X, X, order=order)
        torch.testing.assert_close(value, X @ a if order == 1 else torch.zeros(4))
    assert torch.equal(estimators.get("hvp_loop")(lambda x: x @ a, X, order=2), torch.zeros(4))
    assert torch.equal(estimators.get("hutchinson")(lambda x: x @ a, X, order=2, generator=generator), torch.zeros(4))


def test_gradients_flow_on_through_points_that_require_them():
    """x computed from a parameter, as by an encoder: the estimate is differentiable in it."""
    w = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    points = w * X.double()
    value = estimators.get("sm_exact")(Density(), points).sum()  # ½‖wx‖² − D
    (g,) = torch.autograd.grad(value, w)
    torch.testing.assert_close(g, w.detach() * (X.double() ** 2).sum())
