"""The battery on estimators of the other protocols: conditional scores, equilibria, flows, smoothed targets."""

import pytest
import torch

import estimators
from estimators import probes as probe_laws
from estimators import registry, testing


@pytest.fixture
def register(monkeypatch):
    monkeypatch.setattr(registry, "_estimators", dict(registry._estimators))
    return estimators.register


def composite(model, x, separate):
    grad = torch.is_grad_enabled()
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        tail = x.detach().requires_grad_(True) if separate else x
        s = model.conditional_score(model.context(x), tail)
        (slopes,) = torch.autograd.grad(s.sum(), tail, create_graph=True)
        result = (0.5 * s**2 + slopes).sum(-1)
    return result if grad else result.detach()


def test_composite_score_matching_needs_its_own_leaf(register):
    """One reverse pass gives all diagonal terms only if the tail's input is a leaf apart from the context's."""

    @register("csm_right", quantity="score_matching", needs="conditional_scores", target="csm")
    def csm_right(model, x):
        return composite(model, x, separate=True)

    @register("csm_wrong", quantity="score_matching", needs="conditional_scores", target="csm")
    def csm_wrong(model, x):
        return composite(model, x, separate=False)

    assert "unbiased" in testing.check(csm_right).passed
    with pytest.raises(AssertionError, match="unbiased: Conditionals"):
        testing.check(csm_wrong)


def test_equilibrium_models(register):
    @register("unrolled", quantity="score_matching", needs="equilibrium")
    def unrolled(model, x):
        def log_density(x):
            z = model.initial(x)
            for _ in range(60):
                z = model.layer(z, x)
            return model.head(z, x)

        return estimators.get("sm_exact")(log_density, x)

    assert "unbiased" in testing.check(unrolled).passed


def test_flows(register):
    @register("exact_likelihood", quantity="log_likelihood", needs="flow", target="mle")
    def exact_likelihood(model, x):
        return -model.log_density(x)

    @register("without_constants", quantity="log_likelihood", needs="flow", target="mle")
    def without_constants(model, x):
        return -model.log_density(x, constant_log_dets=False)

    assert "unbiased" in testing.check(exact_likelihood).passed
    with pytest.raises(AssertionError, match="unbiased: Flow"):
        testing.check(without_constants)


def test_smoothed_targets(register):
    def heat(f, x, generator, sigma):
        u = probe_laws.draw("gaussian", 1, x, generator)[0]
        return estimators.get("hvp_loop")(f, x + sigma * u, order=2)

    @register("smoothed", quantity="laplacian", target="smoothed")
    def smoothed(f, x, *, order, generator, sigma=0.5):
        return heat(f, x, generator, sigma)

    @register("called_exact", quantity="laplacian")
    def called_exact(f, x, *, order, generator, sigma=0.5):
        return heat(f, x, generator, sigma)

    assert "unbiased" in testing.check(smoothed).passed
    with pytest.raises(AssertionError, match="unbiased: "):
        testing.check(called_exact)


def test_quadrature_nodes_integrate_polynomials_against_the_normal_density():
    nodes, weights = testing.references.gauss_hermite(8)
    for power, moment in ((0, 1), (1, 0), (2, 1), (4, 3), (6, 15), (8, 105), (14, 135135)):
        assert float(weights @ nodes**power) == pytest.approx(moment, abs=1e-7 * max(moment, 1))
