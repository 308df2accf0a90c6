"""The entropy gradient of an implicit encoder: its closed form, by the exact score and by a learned one."""

import math

import pytest
import torch

import estimators
from bench import data
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
