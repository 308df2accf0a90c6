"""The noise of one draw's θ-gradient, on a tanh energy: what estimators give, against closed forms.

Probe noise is quadratic in the probe: with G_ij = ∇θ M_ij of a row's matrix M = ∇²f + ½∇f∇fᵀ, or ∇²f where ‖s‖² is not
sliced, the gradient of vᵀMv has the variance 2 Σ_{i≠j} ‖G_ij‖² for Rademacher probes, and with the diagonal for
Gaussian ones. Rows have probes of their own, so theirs add up to 1/B² of the sum.
"""

import math

import pytest
import torch

import estimators

B, D, DRAWS = 16, 10, 300


@pytest.fixture(scope="module")
def energy():
    torch.manual_seed(0)
    layers = [torch.nn.Linear(D, 32), torch.nn.Tanh(), torch.nn.Linear(32, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1)]
    return torch.nn.Sequential(*layers).double(), torch.randn(B, D, dtype=torch.float64)


def _flat(value, net):
    gradients = torch.autograd.grad(
        value, tuple(net.parameters()), retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return torch.cat([g.reshape(-1) for g in gradients])


@pytest.fixture(scope="module")
def closed(energy):
    """‖G_ij‖² of each row for both matrices, Σᵢ‖∇θ sᵢ‖² over rows, the coordinates' gradients, and the exact one."""
    net, rows = energy
    squares = {name: torch.zeros(B, D, D, dtype=torch.float64) for name in ("whole", "hessian")}
    score_squares, coordinates = 0.0, []
    for b, row in enumerate(rows):
        x = row.clone().requires_grad_()
        (s,) = torch.autograd.grad(net(x[None]).sum(), x, create_graph=True)
        of_s = [_flat(s[i], net) for i in range(D)]
        score_squares += sum(g.square().sum().item() for g in of_s)
        h = [torch.autograd.grad(s[i], x, create_graph=True)[0] for i in range(D)]
        for i in range(D):
            for j in range(i, D):
                g = _flat(h[i][j], net)
                whole = g + 0.5 * (s[i].detach() * of_s[j] + s[j].detach() * of_s[i])
                squares["hessian"][b, i, j] = squares["hessian"][b, j, i] = g.square().sum()
                squares["whole"][b, i, j] = squares["whole"][b, j, i] = whole.square().sum()
                if i == j:
                    coordinates.append(g)
    of_each = torch.stack(coordinates).reshape(B, D, -1).mean(0)  # ∇θ of the batch mean of ∂²f/∂x_i²
    exact = _flat(estimators.get("sm_exact")(net, rows).mean(), net)
    return squares, score_squares, of_each, exact


def _probe_variance(table, law):
    diagonal = table.diagonal(dim1=1, dim2=2).sum() if law == "rademacher" else 0.0
    return (2 * (table.sum() - diagonal) / B**2).item()


def _noise(draw, mean, draws=DRAWS):
    """The mean of ‖ĝ − g‖² over seeded draws, and its standard error."""
    squares = torch.stack([(draw(torch.Generator().manual_seed(k)) - mean).square().sum() for k in range(draws)])
    return squares.mean().item(), squares.std().item() / math.sqrt(draws)


# Each of the 14 comparisons below is within 5 standard errors: they fail falsely with probability below 1e-5; seeded.


@pytest.mark.parametrize("law", ["rademacher", "gaussian"])
@pytest.mark.parametrize(
    ("name", "matrix", "options"),
    [("ssm", "whole", {}), ("taylor_ssm", "whole", {}), ("fd_ssm", "whole", {"eps": 1e-3}), ("ssm_vr", "hessian", {})],
)
def test_sliced(energy, closed, name, matrix, options, law):
    net, rows = energy
    squares, _, _, exact = closed
    measured, error = _noise(
        lambda g: _flat(estimators.get(name)(net, rows, generator=g, law=law, **options).mean(), net), exact
    )
    assert abs(measured - _probe_variance(squares[matrix], law)) < 5 * error
    assert 0.8 < math.sqrt(measured) / exact.norm() < 1.2  # as large as the gradient itself, as others measured it


@pytest.mark.parametrize("probes", [1, 5])
def test_a_sample_of_coordinates(energy, closed, probes):
    """One subset for all rows, whose noise they share: (D²/M) (D − M)/(D − 1) of the variance over coordinates."""
    net, rows = energy
    _, _, of_each, _ = closed
    spread = (of_each - of_each.mean(0)).square().sum(1).mean().item()
    expected = D**2 / probes * (D - probes) / (D - 1) * spread

    def draw(g):
        value = estimators.get("sdgd")(lambda y: net(y).squeeze(-1), rows, order=2, generator=g, probes=probes)
        return _flat(value.mean(), net)

    measured, error = _noise(draw, of_each.sum(0))
    assert abs(measured - expected) < 5 * error


def test_denoising_diverges_and_its_control_variate_does_not(energy, closed):
    """As σ → 0: Σᵢ‖∇θ sᵢ‖²/σ² from s·z/σ, and with the control variate what is left is zᵀHz, Gaussian SSM-VR's."""
    net, rows = energy
    squares, score_squares, _, exact = closed
    sigma = 1e-3
    measured, error = _noise(
        lambda g: _flat(estimators.get("dsm")(net, rows, generator=g, sigma=sigma).mean(), net), exact
    )
    assert abs(measured * sigma**2 - score_squares / B**2) < 5 * error * sigma**2
    measured, error = _noise(
        lambda g: _flat(estimators.get("dsm_cv")(net, rows, generator=g, sigma=sigma).mean(), net), exact
    )
    assert abs(measured - _probe_variance(squares["hessian"], "gaussian")) < 5 * error


def test_the_exact_objective_has_no_noise(energy, closed):
    net, rows = energy
    for name in ("sm_exact", "sm_forward", "sm_vmap"):
        again = _flat(estimators.get(name)(net, rows, generator=torch.Generator().manual_seed(1)).mean(), net)
        torch.testing.assert_close(again, closed[3], rtol=1e-9, atol=1e-12)
