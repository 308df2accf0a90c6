"""Sums of terms recomputed in the backward pass: same numbers, no factor D in memory, gradients through x too."""

import math

import pytest
import torch
from torch import nn

import estimators
from estimators.testing.models import SoftplusNet, VectorField

CASES = [("hvp_loop", SoftplusNet), ("sm_exact", SoftplusNet), ("sm_exact", VectorField)]


def call(name, model, x, recompute):
    order = {"order": 2} if name == "hvp_loop" else {}
    return estimators.get(name)(model, x, recompute=recompute, **order)


@pytest.mark.parametrize(("name", "family"), CASES)
def test_same_value_and_gradients(name, family):
    model = family(4).double()
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    scale = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    weights = torch.arange(1.0, 6.0, dtype=torch.float64)
    results = []
    for recompute in (True, False):
        value = call(name, model, scale * x, recompute)
        wanted = (scale, *model.parameters())
        gradients = torch.autograd.grad((weights * value).sum(), wanted, allow_unused=True, materialize_grads=True)
        results.append((value.detach(), *gradients))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_parameters_made_outside_of_the_function_are_found():
    """A weight computed from another one, before and outside of f."""
    base = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    weight = torch.tanh(base)
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    gradients = [
        torch.autograd.grad(
            call("hvp_loop", lambda x: torch.cos(x @ weight.T).sum(-1), x, r).mean(), base, retain_graph=True
        )[0]
        for r in (True, False)
    ]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("name", ["hvp_loop", "sm_exact"])
def test_the_graph_kept_for_the_backward_pass_does_not_grow_with_d(name):
    kept = {}
    for dim in (8, 32):
        model = nn.Sequential(nn.Linear(dim, 16), nn.Softplus(), nn.Linear(16, 16), nn.Softplus(), nn.Linear(16, 1))
        x = torch.zeros(4, dim)
        for recompute in (True, False):
            kept[dim, recompute] = _graph_size(call(name, model, x, recompute))
    assert kept[32, True] == kept[8, True]
    assert kept[32, False] > 3 * kept[8, False]


def _graph_size(y):
    seen, waiting = set(), [y.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        waiting.extend(parent for parent, _ in node.next_functions)
    return len(seen)


def test_differentiating_twice_raises():
    model = SoftplusNet(3).double()
    x = torch.zeros(2, 3, dtype=torch.float64)
    value = call("hvp_loop", model, x, True)
    gradients = torch.autograd.grad(value.mean(), tuple(model.parameters()), create_graph=True, allow_unused=True)
    with pytest.raises(RuntimeError, match="differentiable once; recompute=False"):
        sum((g**2).sum() for g in gradients if g is not None).backward()
    assert math.isfinite(float(value.detach().sum()))


def test_differentiating_twice_beside_other_terms_raises_too():
    """Where the rest of a loss has a graph, a missing part would be a wrong gradient without a word."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1)).double()
    x = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    (score,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
    value = estimators.get("hvp_loop")(model, x, order=2, recompute=True)
    (slope,) = torch.autograd.grad(value.sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiable once; recompute=False"):
        ((score + slope) ** 2).sum().backward()
