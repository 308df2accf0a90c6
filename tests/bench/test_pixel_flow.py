"""A flow with its preprocessing inside: the change of variables, and what matching before it changes."""

import pytest
import torch

from bench import problems
from bench.exact.gradient import exact_gradient
from bench.point import ProblemSpec


@pytest.fixture(autouse=True, scope="module")
def cache_folder(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("ESTIMATOR_BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture
def problem():
    spec = ProblemSpec(model="glow_fc_pixels", data="digits_pixels", dim=64, depth=1, batch=6)
    problems.prepare(spec)
    return problems.build(spec)


def test_the_flow_on_pixels_is_the_flow_on_logits_by_the_change_of_variables(problem):
    """log p(x) = log p_flow(z(x)) + log|det ∂z/∂x|, the latter from the Jacobian of the whole preprocessing."""
    model, x = problem.model, problem.x
    assert float(x.min()) >= 0 and float(x.max()) < 1
    z = model.preprocess(x)[0]
    jacobian = torch.func.vmap(torch.func.jacfwd(lambda row: model.preprocess(row[None])[0][0]))(x)
    expected = model.flow.log_density(z) + torch.linalg.slogdet(jacobian).logabsdet
    torch.testing.assert_close(model.log_density(x), expected, rtol=1e-11, atol=1e-9)
    assert torch.isnan(model.log_density(x - 1.0)).all()


def test_matching_before_preprocessing_has_other_gradients_than_after(problem):
    """The same flow on the same images: the angle between the two exact θ-gradients is far from zero."""
    z = problem.model.preprocess(problem.x)[0].detach()
    before = exact_gradient(problem.model, "score_matching", 2, problem.x)[1]
    after = exact_gradient(problem.model.flow, "score_matching", 2, z)[1]
    a, b = (torch.cat([g.flatten() for g in gradients]) for gradients in (before, after))
    assert float(a @ b / (a.norm() * b.norm())) < 0.9


def test_the_flow_on_pixels_refuses_other_data():
    with pytest.raises(ValueError, match="model 'glow_fc_pixels' has data digits_pixels; got 'digits'"):
        problems.check(ProblemSpec(model="glow_fc_pixels", dim=64))
