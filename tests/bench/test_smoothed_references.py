"""References of smoothed quantities: closed forms of the heat semigroup, and Stein's identity for denoising."""

import math

import pytest
import torch

import estimators
from bench import problems, references
from bench.meters.accuracy import accuracy
from bench.meters.subject import Subject
from bench.point import ProblemSpec
from bench.references import sampling, smoothed

SIGMA = 0.4
SPEC = ProblemSpec(model="gaussian", data="gaussian", dim=3, batch=64)


@pytest.fixture(autouse=True, scope="module")
def cache_folder(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("ESTIMATOR_BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    patch.setattr(sampling, "MOST", 64)
    yield
    patch.undo()


def test_score_matching_of_a_gaussian_over_noised_rows_is_its_formula():
    """E ½‖P(x + σz − μ)‖² − tr P = ½‖P(x − μ)‖² + ½σ²‖P‖² − tr P, its gradient within three claimed errors."""
    reference = references.compute(SPEC, "score_matching", target="smoothed", sigma=SIGMA)
    problem = problems.build(SPEC)
    precision = problem.model.factor @ problem.model.factor.T
    s = -(problem.x - problem.model.mean) @ precision
    value = 0.5 * s.square().sum(-1) + 0.5 * SIGMA**2 * precision.square().sum() - precision.trace()
    parts = torch.autograd.grad(value.mean(), problem.parameters, materialize_grads=True)
    exact = torch.cat([part.reshape(-1) for part in parts])
    assert 0 < reference.error <= 0.03
    assert (reference.gradient - exact).norm() < 3 * reference.error * exact.norm()
    clean = references.compute(SPEC, "score_matching")
    assert (clean.gradient - exact).norm() > 5 * reference.error * exact.norm()


def test_denoising_has_no_bias_against_noised_rows_and_one_against_clean_ones():
    """At σ = 0.8, 150 % against clean rows; against noised ones below 11 %, which is what 256 draws can tell."""
    clean = references.compute(SPEC, "score_matching", target="dsm")
    noised = references.compute(SPEC, "score_matching", target="smoothed", sigma=0.8)
    estimator = estimators.get("dsm")
    subject = Subject(estimator, problems.build(SPEC), 2, {**estimator.options, "sigma": 0.8})
    row = accuracy(subject, subject, clean, 256, noised)
    assert row["bias_resolved"] and row["grad_bias_low"] > 1.3
    assert not row["noised_bias_resolved"] and row["noised_grad_bias_high"] < 0.15
    assert "0.8²" in row["noised_reference"] and row["noised_reference_error"] == noised.error


def test_what_would_take_too_long_is_not_begun(monkeypatch):
    monkeypatch.setattr(smoothed, "LIMIT_S", 0.0)
    with pytest.raises(NotImplementedError, match=r"the fewest draws, 16, take .* s, over 0 s"):
        references.compute(ProblemSpec(data="gaussian", dim=2, batch=8), "score_matching", target="smoothed", sigma=0.1)


def test_a_draw_that_is_not_finite_is_no_reference():
    x = torch.zeros(4, 2, dtype=torch.float64)
    draws = []

    def draw(x, v, z):
        draws.append(1)
        return torch.full_like(x[:, 0], math.nan), (torch.full((3,), math.nan, dtype=torch.float64),)

    with pytest.raises(NotImplementedError, match="not finite"):
        sampling.average(draw, x, x)
    assert len(draws) == sampling.GROUPS * sampling.EVERY  # at the first look


def test_averaging_ends_at_its_limit_with_the_error_it_has(monkeypatch):
    """A second a draw: the noise asks for all draws there may be, and ten minutes hold fewer."""
    clock = [0.0]
    monkeypatch.setattr(sampling.time, "thread_time", lambda: clock[0])
    x = torch.zeros(4, 2, dtype=torch.float64)

    def draw(x, v, z):
        clock[0] += 1.0 / sampling.GROUPS
        return z[:, 0], (torch.ones(3, dtype=torch.float64) + z.mean(0)[0],)

    found = sampling.average(draw, x, x, rows=1, error=1e-3, limit_s=50.0)
    assert found.draws == 48  # 48 s; 16 more would be 64
    assert 0.02 < found.error < 0.2
    assert sampling.average(draw, x, x, rows=1, error=1e-3).draws == sampling.MOST
    with pytest.raises(NotImplementedError, match="the fewest draws, 16, take 16 s, over 15 s"):
        sampling.average(draw, x, x, rows=1, limit_s=15.0)
