"""A flow with its preprocessing inside: the same density before and after it, with another score to match."""

import pytest
import torch

import estimators
from bench import problems, references
from bench.exact.gradient import exact_gradient
from bench.point import ProblemSpec


@pytest.fixture(autouse=True, scope="module")
def cache_folder(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("ESTIMATOR_BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


def built(data):
    spec = ProblemSpec(model="glow_fc", data=data, dim=64, depth=1, batch=6)
    problems.prepare(spec)
    return problems.build(spec)


@pytest.fixture(scope="module")
def pixels(cache_folder):
    return built("digits_pixels")


@pytest.fixture(scope="module")
def logits(cache_folder):
    return built("digits")


def flat(gradients):
    return torch.cat([g.flatten() for g in gradients])


def test_the_axis_data_changes_the_variable_and_nothing_else(pixels, logits):
    """The rows of one are the preprocessed rows of the other, and the flow has the same parameters."""
    assert float(pixels.x.min()) >= 0 and float(pixels.x.max()) < 1
    torch.testing.assert_close(pixels.model.preprocess(pixels.x)[0], logits.x, rtol=0, atol=1e-9)
    for a, b in zip(pixels.parameters, logits.parameters, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


def test_likelihoods_differ_by_the_jacobian_of_the_preprocessing_and_their_gradients_not_at_all(pixels, logits):
    """log p(x) = log p_flow(z(x)) + log|det ∂z/∂x|, the latter from the Jacobian of the whole preprocessing."""
    model, x = pixels.model, pixels.x
    jacobian = torch.func.vmap(torch.func.jacfwd(lambda row: model.preprocess(row[None])[0][0]))(x)
    values, gradients = [], []
    for problem in (pixels, logits):
        value = estimators.get("mle")(problem.model, problem.x)
        values.append(value.detach())
        gradients.append(flat(torch.autograd.grad(value.mean(), problem.parameters)))
    expected = values[1] - torch.linalg.slogdet(jacobian).logabsdet
    torch.testing.assert_close(values[0], expected, rtol=1e-10, atol=1e-8)
    assert (gradients[0] - gradients[1]).norm() < 1e-9 * gradients[1].norm()
    assert torch.isnan(model.log_density(x - 1.0)).all()


def test_the_objective_before_preprocessing_is_that_of_the_corrected_score_in_value_and_gradient(pixels, logits):
    """From the flow after preprocessing alone: Σ_i ½(J_i s_i + c_i)² + J_i² ∂_i s_i + J_i′ s_i + c_i′.

    J = ∂z/∂x by the formula of the logit, c = J′/J, c′ its derivative: no derivative of the flow is taken in x.
    """
    model, z = pixels.model, logits.x.clone().requires_grad_(True)
    slope = 1.0 - 2.0 * 0.01
    q = 0.01 + slope * pixels.x
    inverse = 1.0 / q + 1.0 / (1.0 - q)
    curved, third = -1.0 / q**2 + 1.0 / (1.0 - q) ** 2, 2.0 / q**3 + 2.0 / (1.0 - q) ** 3
    j, j_prime = slope * inverse / model.scale, slope**2 * curved / model.scale
    c, c_prime = slope * curved / inverse, slope**2 * (third / inverse - (curved / inverse) ** 2)
    keep = {"create_graph": True, "materialize_grads": True}
    (s,) = torch.autograd.grad(logits.model.log_density(z).sum(), z, **keep)
    diagonal = torch.stack([torch.autograd.grad(s[:, i].sum(), z, **keep)[0][:, i] for i in range(64)], -1)
    value = (0.5 * (j * s + c).square() + j.square() * diagonal + j_prime * s + c_prime).sum(-1)
    unused = {"retain_graph": True, "allow_unused": True, "materialize_grads": True}
    gradient = flat(torch.autograd.grad(value.mean(), logits.parameters, **unused))
    reference = references.compute(pixels.spec, "score_matching")
    torch.testing.assert_close(reference.value, value.detach(), rtol=1e-7, atol=1e-6)
    assert (reference.gradient - gradient).norm() < 1e-7 * gradient.norm()
    without = (0.5 * (j * s).square() + j.square() * diagonal).sum(-1).mean()
    wrong = flat(torch.autograd.grad(without, logits.parameters, **unused))
    assert (wrong - gradient).norm() > 0.1 * gradient.norm()  # the correction would be missed


def test_matching_before_preprocessing_has_other_gradients_than_after(pixels, logits):
    """The same flow on the same images: the angle between the two exact θ-gradients is far from zero."""
    a, b = (flat(exact_gradient(p.model, "score_matching", 2, p.x)[1]) for p in (pixels, logits))
    assert float(a @ b / (a.norm() * b.norm())) < 0.9
