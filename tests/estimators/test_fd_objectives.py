"""Finite-difference objectives: orders of error against their pairs, null tests, and the one-sided form's bias."""

import itertools
import math

import pytest
import torch

import estimators
from estimators import probes as probe_laws
from estimators.testing.models import SoftplusNet

X = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def model():
    return SoftplusNet(3).double()


def gradient(net, value):
    gradients = torch.autograd.grad(
        value.mean(), net.parameters(), retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return torch.cat([g.flatten() for g in gradients])


@pytest.mark.parametrize("law", probe_laws.LAWS)
@pytest.mark.parametrize("name", ["fd_ssm", "fd_ssm_4th", "fd_ssm_vr", "fd_ssm_score", "fd_dsm"])
def test_the_error_against_the_pair_has_the_declared_order(name, law):
    """On the same probes, in value and in θ-gradient, under every law."""
    est, net = estimators.get(name), model()
    pair = estimators.get(est.pair)
    shared = {"sigma": 0.3} if "sigma" in est.options else {}
    exact = pair(net, X, generator=torch.Generator().manual_seed(1), law=law, **shared)
    errors = []
    for eps in (0.16, 0.08):
        value = est(net, X, generator=torch.Generator().manual_seed(1), law=law, eps=eps, **shared)
        errors.append(((value - exact).norm().item(), (gradient(net, value) - gradient(net, exact)).norm().item()))
    for coarse, fine in zip(*errors, strict=True):
        assert math.log2(coarse / fine) == pytest.approx(est.bias_order, abs=0.35)


def test_fourth_order_tolerates_a_larger_step():
    """In float32 its best step is larger and its best error smaller than that of second order."""
    net = model()
    exact = gradient(net, estimators.get("ssm")(net, X, generator=torch.Generator().manual_seed(1), law="sphere"))
    best = {}
    for name in ("fd_ssm", "fd_ssm_4th"):
        errors = {}
        for eps in (2.0**-k for k in range(12)):
            net32 = model().float()
            value = estimators.get(name)(net32, X.float(), generator=torch.Generator().manual_seed(1), eps=eps)
            errors[eps] = float((gradient(net32, value).double() - exact).norm() / exact.norm())
        step = min(errors, key=errors.get)
        best[name] = (step, errors[step])
    assert best["fd_ssm_4th"][0] >= best["fd_ssm"][0]
    assert best["fd_ssm_4th"][1] < best["fd_ssm"][1]


def test_the_one_sided_form_has_second_order_over_all_signs(monkeypatch):
    """Its expectation over all 2^D sign vectors, taken exactly: no noise in the way."""
    signs = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=3)), dtype=torch.float64)
    monkeypatch.setattr(probe_laws, "draw", lambda law, m, x, g: signs.unsqueeze(1).expand(8, *x.shape).to(x))
    net = model()
    exact = estimators.get("ssm")(net, X, generator=torch.Generator(), probes=8)
    torch.testing.assert_close(exact, estimators.get("sm_exact")(net, X))
    errors = []
    for eps in (0.08, 0.04):
        value = estimators.get("fd_ssm_one_sided")(net, X, generator=torch.Generator(), probes=8, eps=eps)
        errors.append(((value - exact).norm().item(), (gradient(net, value) - gradient(net, exact)).norm().item()))
    for coarse, fine in zip(*errors, strict=True):
        assert math.log2(coarse / fine) == pytest.approx(2, abs=0.2)


def test_the_one_sided_forms_noise_is_two_root_d_over_eps_times_the_slope():
    """Its difference from ssm on the same probes is (2√D/ε) vᵀs + O(ε): why it has no pair."""
    net, eps = model(), 1e-3
    v = probe_laws.draw("sphere", 1, X, torch.Generator().manual_seed(1))[0]
    s = estimators.protocols.as_score(net)(X)
    one_sided = estimators.get("fd_ssm_one_sided")(net, X, generator=torch.Generator().manual_seed(1), eps=eps)
    two_sided = estimators.get("ssm")(net, X, generator=torch.Generator().manual_seed(1), law="sphere")
    torch.testing.assert_close(one_sided - two_sided, 2 * 3**0.5 / eps * (v * s).sum(-1), rtol=1e-3, atol=1e-2)
    assert estimators.get("fd_ssm_one_sided").pair is None
    with pytest.raises(ValueError, match="law of fd_ssm_one_sided has to be symmetric; got 'coordinate'"):
        estimators.get("fd_ssm_one_sided")(net, X, generator=torch.Generator(), law="coordinate")


@pytest.mark.parametrize(("name", "pair"), [("fd_ssm_4th", "ssm"), ("fd_ssm_score", "ssm"), ("fd_ssm_vr", "ssm_vr")])
def test_null_tests_on_a_quadratic(name, pair):
    """Differences of a quadratic are exact at any step, up to the smoothing of ‖s‖² in the VR form."""
    a = torch.diag(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    f = lambda x: -0.5 * ((x @ a) * x).sum(-1)  # noqa: E731
    for eps in (0.1, 3.0):
        ours = estimators.get(name)(
            f, X, generator=torch.Generator().manual_seed(0), eps=eps, law="rademacher", probes=2
        )
        theirs = estimators.get(pair)(f, X, generator=torch.Generator().manual_seed(0), law="rademacher", probes=2)
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_forward_and_reverse_sliced_score_matching_agree():
    net = model()
    values = [
        estimators.get(n)(net, X, generator=torch.Generator().manual_seed(0), probes=2) for n in ("ssm", "ssm_forward")
    ]
    torch.testing.assert_close(*values, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient(net, values[0]), gradient(net, values[1]), rtol=1e-10, atol=1e-12)


def test_layered_objectives_are_exact_or_unbiased_where_they_say():
    """Approximate backprop is exact on one hidden layer; its objective then equals exact score matching."""
    g = torch.Generator().manual_seed(0)
    shallow = torch.nn.Sequential(
        torch.nn.utils.skip_init(torch.nn.Linear, 3, 7),
        torch.nn.Softplus(),
        torch.nn.utils.skip_init(torch.nn.Linear, 7, 1),
    ).double()
    for p in shallow.parameters():
        torch.nn.init.normal_(p, generator=g)
    value, exact = estimators.get("kl_sm")(shallow, X), estimators.get("sm_exact")(shallow, X)
    torch.testing.assert_close(value, exact)
    torch.testing.assert_close(gradient(shallow, value), gradient(shallow, exact))
    deep = model()
    value, exact = estimators.get("kl_sm")(deep, X), estimators.get("sm_exact")(deep, X)
    assert (value - exact).norm() > 0.01 * exact.norm()
    with pytest.raises(ValueError, match="option form of cp_sm"):
        estimators.get("cp_sm")(deep, X, generator=g, form="st")
