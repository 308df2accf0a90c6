"""Defects of published code, each as a formula that fails where ours passes: gradients tell, losses do not."""

import itertools
import math

import pytest
import torch
from torch import nn

import estimators
from estimators import probes as probe_laws


def net(dim, width=16, seed=0, gain=2.0):
    g = torch.Generator().manual_seed(seed)
    sizes = (dim, width, width, 1)
    layers = []
    for i in range(3):
        layers += [nn.utils.skip_init(nn.Linear, sizes[i], sizes[i + 1]), nn.Softplus()]
        nn.init.normal_(layers[-2].weight, std=gain / math.sqrt(sizes[i]), generator=g)
        nn.init.normal_(layers[-2].bias, std=0.2, generator=g)
    return nn.Sequential(*layers[:-1]).double(), torch.randn(64, dim, generator=g, dtype=torch.float64)


def gradient(model, value):
    gradients = torch.autograd.grad(value.mean(), model.parameters(), allow_unused=True, materialize_grads=True)
    return torch.cat([g.flatten() for g in gradients])


def cosine(a, b):
    return float(a @ b / (a.norm() * b.norm()))


def fd_dsm_at(model, x, generator, sigma, clean):
    """FD-DSM around the noised points, or, as in one published variant, around the clean ones."""
    z = probe_laws.draw("gaussian", 1, x, generator)[0]
    v = probe_laws.draw("sphere", 1, x, generator)[0]
    centre, h = (x if clean else x + sigma * z), 1e-4
    slope = (model(centre + h * v) - model(centre - h * v)).squeeze(-1) / (2 * h)
    return 0.5 * (slope + (v * z).sum(-1) / sigma) ** 2


def test_finite_differences_around_the_clean_point():
    """The loss hardly tells; the θ-gradient points elsewhere: it is that of ½‖s‖² alone, without the trace."""
    model, x = net(8, gain=1.0)
    x, sigma = x.repeat(500, 1), 0.3
    losses, gradients = {}, {}
    for kind in ("noised", "clean", "ours", "dsm"):
        g = torch.Generator().manual_seed(1)
        if kind in ("noised", "clean"):
            value = fd_dsm_at(model, x, g, sigma, clean=kind == "clean")
        elif kind == "ours":
            value = estimators.get("fd_dsm")(model, x, generator=g, sigma=sigma)
        else:
            value = estimators.get("dsm_cv")(model, x, generator=g, sigma=sigma)
        losses[kind], gradients[kind] = float(value.mean()), gradient(model, value)
    assert losses["clean"] == pytest.approx(losses["noised"], rel=0.05)
    torch.testing.assert_close(gradients["ours"], gradients["noised"], rtol=1e-5, atol=1e-5)
    assert cosine(gradients["ours"], gradients["dsm"]) > 0.95
    assert cosine(gradients["clean"], gradients["dsm"]) < 0.6


def test_unit_norm_directions_are_one_over_d():
    model, x = net(8)
    score = estimators.protocols.as_score(model)

    def unit_norm(x, g):
        v = probe_laws.draw("sphere", 1, x, g)[0] / 8**0.5
        x = x.requires_grad_(True)
        projection = (score(x) * v).sum(-1)
        (slope,) = torch.autograd.grad(projection.sum(), x, create_graph=True)
        return 0.5 * projection**2 + (slope * v).sum(-1)

    ours = gradient(model, estimators.get("ssm")(model, x, generator=torch.Generator().manual_seed(0), law="sphere"))
    theirs = gradient(model, unit_norm(x.clone(), torch.Generator().manual_seed(0)))
    torch.testing.assert_close(theirs, ours / 8)


def test_energies_of_shape_b_1_broadcast_to_another_loss():
    model, x = net(8)
    g = torch.Generator().manual_seed(0)
    z = probe_laws.draw("gaussian", 1, x, g)[0]
    v = probe_laws.draw("sphere", 1, x, g)[0]
    slope = (model(x + 0.3 * z + 1e-4 * v) - model(x + 0.3 * z - 1e-4 * v)) / 2e-4  # (B, 1)
    broadcast = 0.5 * (slope + (v * z).sum(-1) / 0.3) ** 2
    assert broadcast.shape == (64, 64), "no error, another loss"
    right = estimators.get("fd_dsm")(model, x, generator=torch.Generator().manual_seed(0), sigma=0.3)
    assert cosine(gradient(model, broadcast), gradient(model, right)) < 0.9
    with pytest.raises(ValueError, match=r"one value a row; it returned \(128, 1\)"):
        estimators.get("fd_dsm")(lambda x: model(x), x, generator=torch.Generator().manual_seed(0), sigma=0.3)


def test_sigma_to_the_fourth():
    model, x = net(8)
    sigma = 0.3
    score = estimators.protocols.as_score(model)
    z = probe_laws.draw("gaussian", 1, x, torch.Generator().manual_seed(0))[0]
    theirs = 0.5 * ((sigma**2 * score(x + sigma * z) + sigma * z) ** 2).sum(-1)
    ours = estimators.get("dsm")(model, x, generator=torch.Generator().manual_seed(0), sigma=sigma)
    torch.testing.assert_close(gradient(model, theirs), sigma**4 * gradient(model, ours))


def test_a_coupling_swept_back_without_its_type():
    """Additive couplings alternate their halves; the published sweep takes every one as the first kind."""
    g = torch.Generator().manual_seed(0)
    half = 5
    weights = [torch.randn(half, half, generator=g, dtype=torch.float64) / half**0.5 for _ in range(4)]
    x = torch.randn(6, 2 * half, generator=g, dtype=torch.float64)

    def forward(x):
        a, b = x.split(half, -1)
        inputs = []
        for kind, w in zip(itertools.cycle((0, 1)), weights, strict=False):
            inputs.append((a, b))
            a, b = (a, b + torch.tanh(a @ w.T)) if kind == 0 else (a + torch.tanh(b @ w.T), b)
        return a, b, inputs

    def sweep(x, typed):
        a, b, inputs = forward(x)
        ga, gb = -a, -b  # the score of a standard normal in the flow's output
        for k in reversed(range(4)):
            w, kind = weights[k], k % 2 if typed else 0
            source = inputs[k][kind]
            pull = lambda out, w=w, source=source: (out * (1 - torch.tanh(source @ w.T) ** 2)) @ w  # noqa: E731
            ga, gb = (ga + pull(gb), gb) if kind == 0 else (ga, gb + pull(ga))
        return torch.cat([ga, gb], -1)

    points = x.clone().requires_grad_(True)
    a, b, _ = forward(points)
    (score,) = torch.autograd.grad(-0.5 * ((a**2).sum() + (b**2).sum()), points)
    torch.testing.assert_close(sweep(x, typed=True), score)
    assert (sweep(x, typed=False) - score).norm() > 0.1 * score.norm()


def test_tau_trace_squared_with_one_sample_is_a_gradient_norm_penalty():
    """E[T²] = (tr)² + 4‖∇f‖²/σ² + 2‖H‖²_F for the one-sided form: the term's θ-gradient is that of 4τ‖∇f‖²/σ².

    On f = bᵀx + ½xᵀAx at zero, where ∇f = b and the trace does not depend on b: 6 standard errors, false failure below
    1e-6; the noise is below 5 % of the size.
    """
    b = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64, requires_grad=True)
    a = torch.diag(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    f = lambda x: x @ b + 0.5 * ((x @ a) * x).sum(-1)  # noqa: E731
    tau, sigma = 1e-3, 0.1
    blocks = []
    for seed in range(32):
        x = torch.zeros(4000, 3, dtype=torch.float64)
        with_tau, without = (
            estimators.get("taylor_trace_sm")(
                f, x, generator=torch.Generator().manual_seed(seed), sigma=sigma, form="one_sided", tau=t
            )
            for t in (tau, 0.0)
        )
        blocks.append(torch.autograd.grad((with_tau - without).mean(), b)[0])
    blocks = torch.stack(blocks)
    expected = 8 * tau * b.detach() / sigma**2
    error = blocks.std(0) / 32**0.5
    assert ((blocks.mean(0) - expected).abs() < 6 * error).all()
    assert (6 * error < 0.25 * expected.abs().max()).all()


@pytest.mark.parametrize("value", [-1.0, float("inf"), "much"])
def test_tau_is_checked(value):
    with pytest.raises(ValueError, match="option tau has to be a finite number >= 0"):
        estimators.get("taylor_trace_sm")(lambda x: x.sum(-1), torch.ones(1, 2), generator=torch.Generator(), tau=value)
