"""The entropy gradient of an implicit encoder: its closed form, by the exact score and by a learned one."""

import math

import pytest
import torch

import estimators
from bench import data, problems, references
from bench.point import ProblemSpec
from bench.problems import implicit_encoder
from bench.problems.implicit_encoder import encoder, entropy_surrogate

CODES, ROWS = 3, 100_000


@pytest.fixture
def encode():
    return encoder(CODES)


def gradient(value, encode):
    return torch.cat([g.flatten() for g in torch.autograd.grad(value, list(encode.parameters()), retain_graph=True)])


def test_the_entropy_gradient_is_the_inverse_covariance_times_the_factors(encode):
    of_weight, of_noise = torch.autograd.grad(encode.entropy(), [encode.weight, encode.noise])
    inverse = torch.linalg.inv(encode.covariance)
    torch.testing.assert_close(of_weight, inverse @ encode.weight)
    torch.testing.assert_close(of_noise, inverse @ encode.noise)
    normal = torch.distributions.MultivariateNormal(torch.zeros(CODES).double(), encode.covariance)
    torch.testing.assert_close(encode.entropy(), normal.entropy())


def test_the_surrogate_with_the_exact_score_has_that_gradient_and_an_attached_score_twice_it(encode):
    """The relative error expected of n = 10⁵ codes is √((D + K)/n) = 1.2 %, ± 0.13 %; the seed is fixed."""
    exact = gradient(encode.entropy(), encode)
    z = encode.draw(ROWS, torch.Generator().manual_seed(0))
    found = gradient(entropy_surrogate(z, encode.score).mean(), encode)
    assert (found - exact).norm() < 0.02 * exact.norm()
    inverse = torch.linalg.inv(encode.covariance).detach()
    attached = gradient((z * (z @ inverse)).sum(-1).mean(), encode)
    assert (attached - 2 * exact).norm() < 0.04 * exact.norm()


@pytest.mark.parametrize("name", ["ssm_vr", "fd_ssm_vr"])
def test_a_learned_linear_score_gives_the_gradient_within_its_sampling_error(encode, name):
    """Sliced objectives of s = −Pz are least at P = C⁻¹, C the codes' covariance, but for the probes' chance."""
    z = encode.draw(ROWS, torch.Generator().manual_seed(1)).detach()

    class Linear(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.p = torch.nn.Parameter(torch.eye(CODES).double())

        def score(self, points):
            return -points @ self.p

    field = Linear()
    optimiser = torch.optim.LBFGS(field.parameters(), max_iter=30, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        value = estimators.get(name)(field, z, generator=torch.Generator().manual_seed(2)).mean()
        value.backward()
        return value

    optimiser.step(loss)
    exact = gradient(encode.entropy(), encode)
    fresh = encode.draw(ROWS, torch.Generator().manual_seed(3))
    assert (gradient(entropy_surrogate(fresh, field.score).mean(), encode) - exact).norm() < 0.04 * exact.norm()


def test_codes_are_a_data_source_with_the_encoders_covariance():
    """65 536 rows: every entry within six standard errors, at most 6·√2·S_max/256; the seed is fixed."""
    z = data.rows("encoder_codes", CODES, 65_536, torch.Generator().manual_seed(0))
    covariance = encoder(CODES).covariance.detach()
    bound = 6 * math.sqrt(2) * float(covariance.abs().max()) / 256
    assert (z.T @ z / len(z) - covariance).abs().max() < bound


# As problems, through `mle`


@pytest.fixture
def few_steps(tmp_path, monkeypatch):
    monkeypatch.setenv("ESTIMATOR_BENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(implicit_encoder, "STEPS", 150)


def row(model, stage, batch=256):
    """Relative bias of the entropy gradient, and the reference."""
    spec = ProblemSpec(model=model, data="gaussian", dim=5 * CODES, batch=batch, stage=stage)
    problems.prepare(spec)
    problem, reference = problems.build(spec), references.compute(spec, "log_likelihood")
    value = estimators.get("mle")(problem.model, problem.x)
    assert len(problem.parameters) == 2  # of the encoder, not of the score network
    found = torch.cat([g.flatten() for g in torch.autograd.grad(value.mean(), problem.parameters)])
    return float((found - reference.gradient).norm() / reference.gradient.norm()), reference


@pytest.mark.parametrize("route", ["closed_form", "reverse"])
def test_the_reference_is_the_entropy_gradient_up_to_the_rows_own_chance(few_steps, encode, route):
    """65 536 rows: √((D + K)/n) = 1.5 % of it, and a mean value of K within five standard errors; seeds are fixed."""
    rows = 65_536
    spec = ProblemSpec(model="encoder_ssm_vr", data="gaussian", dim=5 * CODES, batch=rows)
    reference = references.compute(spec, "log_likelihood", route=route)
    exact = gradient(encode.entropy(), encode)
    assert (reference.gradient - exact).norm() < 0.03 * exact.norm()
    assert abs(float(reference.value.mean()) - CODES) < 5 * (2 * CODES / rows) ** 0.5


def test_the_true_score_has_no_bias_and_one_that_has_learned_little_has_much(few_steps):
    assert row("encoder", "init")[0] < 1e-12
    before, _ = row("encoder_ssm_vr", "init")
    learned, _ = row("encoder_ssm_vr", "trained")
    assert before > 0.5 and 1e-4 < learned < 0.1


def test_denoising_at_a_larger_noise_learns_the_score_of_wider_codes(few_steps):
    """s = −(S + σ²I)⁻¹z, by which the gradient is too small: at σ = 0.5 by tens of per cent."""
    high, reference = row("encoder_dsm_high", "trained")
    encode = encoder(CODES)
    x = problems.build(ProblemSpec(model="encoder", data="gaussian", dim=5 * CODES, batch=256)).x
    inputs = encode.weight.shape[1]
    wide = torch.linalg.inv(encode.covariance + 0.25 * torch.eye(CODES).double()).detach()
    found = gradient(entropy_surrogate(encode(x[:, :inputs], x[:, inputs:]), lambda z: -z @ wide).mean(), encode)
    predicted = float((found - reference.gradient).norm() / reference.gradient.norm())
    assert high == pytest.approx(predicted, rel=0.15) and high > 0.2


def test_dimensions_are_those_of_whole_codes():
    with pytest.raises(ValueError, match="model 'encoder' has dim 5, 10…1000; got 12"):
        problems.check(ProblemSpec(model="encoder", data="gaussian", dim=12))
