"""Curvature propagation and approximate backprop: any pointwise layer, variances, exact where they should be."""

import itertools
import math

import pytest
import torch
from torch import nn

import estimators
from estimators.laplacian.layer_derivatives import layer_derivatives, score


def net(sizes, activation=nn.Softplus, seed=0, gain=1.5):
    g = torch.Generator().manual_seed(seed)
    layers = []
    for a, b in itertools.pairwise(sizes):
        layers += [nn.utils.skip_init(nn.Linear, a, b), activation()]
        nn.init.normal_(layers[-2].weight, std=gain / math.sqrt(a), generator=g)
        nn.init.normal_(layers[-2].bias, std=0.5, generator=g)
    return nn.Sequential(*layers[:-1]).double()


def points(rows, dim, seed=1):
    return torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Sine(nn.Module):
    pointwise = True

    def forward(self, x):
        return torch.sin(x)


@pytest.mark.parametrize("activation", [nn.Softplus, nn.Tanh, nn.SiLU, nn.GELU, nn.ELU, nn.ReLU, Sine, nn.Identity])
def test_the_swept_score_is_the_gradient_with_any_activation(activation):
    layers, x = net((4, 6, 5, 1), activation), points(3, 4).requires_grad_(True)
    (g,) = torch.autograd.grad(layers(x).sum(), x)
    torch.testing.assert_close(score(layer_derivatives(layers, x), x), g)


@pytest.mark.parametrize("form", ["s", "tu"])
@pytest.mark.parametrize("activation", [nn.Tanh, nn.SiLU, Sine])
def test_curvature_propagation_is_unbiased(form, activation):
    """20 000 copies of a point; value and θ-gradient of the whole mean within 5 % of their size.

    The noise of the mean is below 1 %; a constant wrong by a factor of two or a sign cannot pass.
    """
    layers, x = net((3, 5, 4, 1), activation), points(1, 3)
    value = estimators.get("curvature_propagation")(
        layers, x.repeat(20_000, 1), order=2, generator=torch.Generator().manual_seed(0), form=form
    )
    exact = estimators.get("hvp_loop")(layers, x, order=2)
    assert abs(value.mean() - exact) < 6 * value.std() / 20_000**0.5
    ours, theirs = (
        torch.cat(
            [
                g.flatten()
                for g in torch.autograd.grad(t.mean(), layers.parameters(), allow_unused=True, materialize_grads=True)
            ]
        )
        for t in (value, exact)
    )
    assert (ours - theirs).norm() < 0.1 * theirs.norm()


def test_variances_stand_as_published_nets_suggest():
    """Hutchinson below S below T, U on 5-7-6-1 softplus nets, the mean of five of them, from 4000 draws each."""
    totals = dict.fromkeys(("hutchinson", "s", "tu"), 0.0)
    for seed in range(5):
        layers, x = net((5, 7, 6, 1), seed=seed, gain=1.0), points(1, 5, seed)
        many = x.repeat(4000, 1)
        with torch.no_grad():
            for kind in totals:
                g = torch.Generator().manual_seed(seed)
                if kind == "hutchinson":
                    value = estimators.get("hutchinson")(layers, many, order=2, generator=g)
                else:
                    value = estimators.get("curvature_propagation")(layers, many, order=2, generator=g, form=kind)
                totals[kind] += value.var().item()
    assert totals["hutchinson"] < totals["s"] < totals["tu"]


def test_relu_has_no_curvature_and_no_exploding_gradient():
    layers, x = net((4, 6, 5, 1), nn.ReLU), points(3, 4)
    value = estimators.get("curvature_propagation")(layers, x, order=2, generator=torch.Generator().manual_seed(0))
    assert (value == 0).all()
    for g in torch.autograd.grad(value.sum(), layers.parameters(), allow_unused=True, materialize_grads=True):
        assert torch.isfinite(g).all()


def test_approximate_backprop_is_exact_with_one_hidden_layer_and_not_with_two():
    exact, approximate = estimators.get("hvp_loop"), estimators.get("approximate_backprop")
    x = points(50, 6)
    shallow = net((6, 9, 1))
    torch.testing.assert_close(approximate(shallow, x, order=2), exact(shallow, x, order=2))
    errors = []
    for seed in range(10):
        deep = net((6, 9, 8, 1), seed=seed)
        truth = exact(deep, x, order=2)
        errors.append(float((approximate(deep, x, order=2) - truth).norm() / truth.norm()))
    assert sorted(errors)[5] > 0.05, "many nets: a single one may be right by luck"


def test_approximate_backprop_is_exact_on_deep_nets_without_interactions():
    """Diagonal weights: f = Σ_i a_i φ(w_i φ(u_i x_i)), whose every layer has a diagonal Hessian."""
    layers, x = net((5, 5, 5, 1), nn.Tanh), points(6, 5)
    with torch.no_grad():
        for layer in layers[:-1]:
            if isinstance(layer, nn.Linear):
                layer.weight.copy_(torch.diag(1 + layer.weight.diagonal()))
    value, exact = (estimators.get(n)(layers, x, order=2) for n in ("approximate_backprop", "hvp_loop"))
    torch.testing.assert_close(value, exact)
    ours, theirs = (torch.autograd.grad(t.sum(), layers[2].weight)[0].diagonal() for t in (value, exact))
    torch.testing.assert_close(ours, theirs)


def test_what_is_neither_affine_nor_pointwise_is_refused():
    x = points(2, 4)
    for layers, message in (
        (nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 1)), "got LayerNorm"),
        (nn.Sequential(nn.Linear(4, 2)), r"end in one output; these give \(2, 2\)"),
    ):
        with pytest.raises(NotImplementedError, match=message):
            estimators.get("approximate_backprop")(layers.double(), x, order=2)
    with pytest.raises(ValueError, match="option form of curvature_propagation has to be one of s, tu; got 'x'"):
        estimators.get("curvature_propagation")(net((4, 3, 1)), x, order=2, generator=torch.Generator(), form="x")
