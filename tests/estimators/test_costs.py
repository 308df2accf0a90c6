"""Costs as the docstrings state them, by counting matrix products and evaluations: what grows with D, M and T."""

import itertools

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

import estimators

WIDTH, ROWS = 48, 4
GROWS_WITH_D = {n for q in ("laplacian", "score_matching") for n in estimators.names(q) if estimators.get(n).exact} | {
    "fd_laplacian"
}


class Flops(TorchDispatchMode):
    """Counts the floating-point operations of matrix products."""

    def __init__(self):
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func._overloadpacket in flop_registry:
            self.total += flop_registry[func._overloadpacket](*args, **(kwargs or {}), out_val=result)
        return result


def net(dim, depth=3):
    sizes = (dim, *[WIDTH] * depth)
    layers = []
    for a, b in itertools.pairwise(sizes):
        layers += [nn.utils.skip_init(nn.Linear, a, b), nn.Tanh()]
    model = nn.Sequential(*layers, nn.utils.skip_init(nn.Linear, WIDTH, 1))
    for p in model.parameters():
        nn.init.normal_(p, std=0.2, generator=torch.Generator().manual_seed(0))
    return model


def units(name, dim, order=None, step=True, **options):
    """FLOPs of the estimator in units of one evaluation of f."""
    est, model, x = estimators.get(name), net(dim), torch.zeros(ROWS, dim)
    order = order or (2 if est.orders == "any" else est.orders[0])
    keywords = {"order": order} if est.quantity in ("directional", "laplacian") else {}
    directions = (torch.ones_like(x),) if est.quantity == "directional" else ()
    with Flops() as one:
        model(x)
    with Flops() as counted:
        with torch.set_grad_enabled(step):
            value = est(model, x, *directions, generator=torch.Generator().manual_seed(0), **keywords, **options)
        if step:
            torch.autograd.grad(value.mean(), tuple(model.parameters()), allow_unused=True, materialize_grads=True)
    return counted.total / one.total


def applicable(name):
    return estimators.get(name).needs in ("function", "score", "layers") and "peer" not in estimators.get(name).tags


@pytest.mark.parametrize("name", sorted(filter(applicable, estimators.names())))
def test_growth_with_the_dimension(name):
    """From D = 12 to 36, below the width: threefold for what takes all coordinates, none for what takes directions."""
    if estimators.get(name).orders == (4,):
        pytest.skip("order 4 grows with D²")
    growth = units(name, 36) / units(name, 12)
    if name in GROWS_WITH_D:
        assert 1.8 < growth < 4
    else:
        assert growth < 1.3


@pytest.mark.parametrize(
    "name", sorted(n for n in estimators.names() if applicable(n) and estimators.get(n).options.get("probes") == 1)
)
def test_growth_with_the_probes(name):
    """Affine in M: from 2 to 4 probes costs twice what from 2 to 3 does."""
    two, three, four = (units(name, 12, probes=m) for m in (2, 3, 4))
    assert four - two == pytest.approx(2 * (three - two), rel=0.05)
    assert three > two


def test_growth_with_the_order():
    """Finite differences take T + 1 evaluations; nesting doubles or triples with every order."""
    for order in (1, 2, 3, 4, 5):
        assert units("finite_difference", 12, order=order, step=False) == pytest.approx(order + 1, rel=0.02)
    nested = [units("nested_reverse", 12, order=order) for order in (2, 3, 4, 5)]
    assert all(1.5 < b / a < 3.5 for a, b in itertools.pairwise(nested))
    contour = [units("complex_contour", 12, order=order) for order in (1, 4)]
    assert contour[0] == contour[1]


@pytest.mark.parametrize(
    ("name", "evaluations", "options"),
    [
        ("fd_ssm", 7, {"probes": 3}),
        ("fd_ssm_4th", 13, {"probes": 3}),
        ("fd_ssm_one_sided", 4, {"probes": 3}),
        ("fd_dsm", 6, {"samples": 3}),
        ("fd_hutchinson", 7, {"probes": 3}),
        ("taylor_trace", 7, {"probes": 3}),
        ("taylor_trace", 4, {"probes": 3, "form": "one_sided"}),
        ("taylor_trace", 13, {"probes": 3, "form": "richardson"}),
        ("stein_trace", 7, {"probes": 3}),
        ("fd_laplacian", 36, {}),
        ("complex_contour", 9, {}),
        ("richardson", 5, {}),
    ],
)
def test_evaluations_of_the_value(name, evaluations, options):
    assert units(name, 12, step=False, **options) == pytest.approx(evaluations, rel=0.02)


def test_published_cost_model_of_score_matching():
    """FLOPs of a step in units of one evaluation and its gradient: FD-SSM 3 and FD-DSM 2, within a tenth; SSM more."""
    with Flops() as one:
        model, x = net(784), torch.zeros(ROWS, 784)
        torch.autograd.grad(model(x).mean(), tuple(model.parameters()))
    with Flops() as value:
        model(x)
    unit = one.total / value.total
    measured = {name: units(name, 784) / unit for name in ("fd_ssm", "ssm", "fd_dsm", "dsm")}
    assert measured["fd_ssm"] == pytest.approx(3, rel=0.1)
    assert measured["fd_dsm"] == pytest.approx(2, rel=0.1)
    assert measured["ssm"] > 1.2 * measured["fd_ssm"]
    assert 0.8 < measured["dsm"] / measured["fd_dsm"] < 1.7
