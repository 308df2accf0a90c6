"""Curvature propagation and approximate backprop: any pointwise layer, variances, exact where they should be."""

import itertools
import math

import pytest
import torch
from torch import nn

import estimators
from bench.exact.couplings import Coupling, DiagonalScale, NegativeHalfSquare, Total
from bench.exact.residual import Residual
from estimators import probes as probe_laws
from estimators.laplacian.layer_derivatives import layer_derivatives, score


def net(sizes, activation=nn.Softplus, seed=0, gain=1.5):
    g = torch.Generator().manual_seed(seed)
    layers = []
    for a, b in itertools.pairwise(sizes):
        layers += [nn.utils.skip_init(nn.Linear, a, b), activation()]
        nn.init.normal_(layers[-2].weight, std=gain / math.sqrt(a), generator=g)
        nn.init.normal_(layers[-2].bias, std=0.5, generator=g)
    return nn.Sequential(*layers[:-1]).double()


def residual(dim, activation=nn.Tanh, seed=0):
    first, block, last = (
        net((dim, 3, 1), activation, seed),
        net((3, 2, 3), activation, seed + 1),
        net((3, 1), seed=seed),
    )
    return nn.Sequential(*first[:2], Residual(block), last)


def coupled(dim, activation=nn.Tanh, seed=0, couplings=3, depth=1, width=2):
    """A layered NICE: additive couplings of alternating halves, a diagonal scale, a standard normal."""
    half = (dim + 1) // 2
    halves = slice(None, half), slice(half, None)
    sizes = half, dim - half
    layers = []
    for i in range(couplings):
        block = net((sizes[i % 2], *(width,) * depth, sizes[1 - i % 2]), activation, seed + i)
        layers.append(Coupling(block, halves[i % 2], halves[1 - i % 2]))
    scale = torch.linspace(-0.3, 0.5, dim, dtype=torch.float64)
    return nn.Sequential(*layers, DiagonalScale(scale), NegativeHalfSquare(), Total(dim))


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


@pytest.mark.parametrize("layers", [residual(5), coupled(5), coupled(4, nn.Softplus, depth=2)], ids=str)
def test_the_swept_score_is_the_gradient_through_skips_and_couplings(layers):
    x = points(3, layers[0].in_features if isinstance(layers[0], nn.Linear) else layers[-1].jacobian.shape[1])
    x.requires_grad_(True)
    (g,) = torch.autograd.grad(layers(x).sum(), x)
    torch.testing.assert_close(score(layer_derivatives(layers, x), x), g)


def gradient(layers, value):
    parts = torch.autograd.grad(
        value.mean(), list(layers.parameters()), retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return torch.cat([part.flatten() for part in parts])


def every_sign(monkeypatch, units):
    """Have the probes run through all sign vectors of the units, one after the other: their mean is the expectation."""
    signs, taken = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=units)), dtype=torch.float64), 0

    def draw(law, probes, like, generator):
        nonlocal taken
        assert law == "rademacher" and probes == len(signs)
        part = signs[:, taken : taken + like.shape[1]]
        taken += like.shape[1]
        return part.unsqueeze(1).expand(-1, *like.shape)

    monkeypatch.setattr(probe_laws, "draw", draw)
    return {"probes": len(signs), "generator": torch.Generator()}, lambda: taken


@pytest.mark.parametrize("form", ["s", "tu"])
@pytest.mark.parametrize("name", ["curvature_propagation", "cp_sm"])
@pytest.mark.parametrize(
    ("layers", "dim", "units"),
    [
        (net((3, 5, 4, 1), nn.Tanh), 3, 9),
        (net((3, 5, 4, 1), Sine), 3, 9),
        (residual(3, nn.SiLU), 3, 5),
        (coupled(3), 3, 9),
        (coupled(2, nn.Softplus, couplings=2, depth=2), 2, 10),
    ],
    ids=["tanh", "sine", "residual", "nice", "deeper nice"],
)
def test_curvature_propagation_is_unbiased_exactly(monkeypatch, name, form, layers, dim, units):
    """The mean over every sign vector, fresh for every unit, is the exact quantity, in value and in θ-gradient."""
    x = points(2, dim)
    keywords, taken = every_sign(monkeypatch, units)
    order = {"order": 2} if name == "curvature_propagation" else {}
    value = estimators.get(name)(layers, x, form=form, **keywords, **order)
    exact = estimators.get("hvp_loop" if order else "sm_exact")(layers, x, **order)
    assert taken() == units
    torch.testing.assert_close(value, exact, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(gradient(layers, value), gradient(layers, exact), rtol=1e-8, atol=1e-9)


def test_on_nice_approximate_backprop_is_exact_with_one_diagonal_coupling_and_wrong_with_more():
    """The base density's Hessian is diagonal, and stays so through one coupling of unit-wise maps; not through two."""
    x = points(20, 6)
    for couplings, exactly in ((1, True), (2, False), (4, False)):
        layers = coupled(6, nn.Softplus, couplings=couplings, width=3)
        with torch.no_grad():
            for coupling in layers[:couplings]:
                for layer in (coupling.block[0], coupling.block[2]):
                    layer.weight.copy_(torch.diag(0.5 + 0.5 * torch.tanh(layer.weight.diagonal())))
        value, exact = (estimators.get(n)(layers, x) for n in ("kl_sm", "sm_exact"))
        ours, theirs = gradient(layers, value), gradient(layers, exact)
        error = float((ours - theirs).norm() / theirs.norm())
        assert error < 1e-12 if exactly else error > 1e-3, (couplings, error)


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
        errors.append(float(((approximate(deep, x, order=2) - truth).norm() / truth.norm()).detach()))
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


class _Projected(nn.Module):
    """A block of a ResNet: its shortcut is a layer named ``skip``, not the protocol's marker."""

    def __init__(self):
        super().__init__()
        self.skip, self.block = nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.Tanh())

    def forward(self, x):
        return self.skip(x) + self.block(x)


class _OwnLinear(nn.Linear):
    def forward(self, x):
        return super().forward(x).tanh()


class _OwnSequential(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


class _MarkedSequential(_OwnSequential):
    skip = True


class _EveryOther(Residual):
    source = slice(0, 4, 2)


def test_what_is_neither_affine_nor_pointwise_is_refused():
    x = points(2, 4)
    for layers, message in (
        (nn.Sequential(_Projected(), nn.Linear(4, 1)), "got _Projected"),
        (nn.Sequential(_OwnLinear(4, 4), nn.Linear(4, 1)), "got _OwnLinear with a forward of its own"),
        (nn.Sequential(_OwnSequential(nn.Linear(4, 4)), nn.Linear(4, 1)), "got _OwnSequential with a forward of its"),
        (nn.Sequential(_MarkedSequential(nn.Linear(4, 4)), nn.Linear(4, 1)), "got _MarkedSequential with a forward"),
        (nn.Sequential(Residual(_OwnSequential(nn.Linear(4, 4))), nn.Linear(4, 1)), "got Residual"),
        (_OwnSequential(nn.Linear(4, 1)), "_OwnSequential is an nn.Sequential with a forward of its own"),
        (
            nn.Sequential(_EveryOther(nn.Sequential(nn.Linear(2, 4))), nn.Linear(4, 1)),
            r"source of a skip has to be a slice without a step; got slice\(0, 4, 2\)",
        ),
        (nn.Sequential(Residual(nn.Sequential(nn.LayerNorm(4))), nn.Linear(4, 1)), "got LayerNorm"),
        (nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 1)), "got LayerNorm"),
        (nn.Sequential(nn.Linear(4, 2)), r"end in one output; these give \(2, 2\)"),
    ):
        with pytest.raises(NotImplementedError, match=message):
            estimators.get("approximate_backprop")(layers.double(), x, order=2)
    with pytest.raises(ValueError, match="option form of curvature_propagation has to be one of s, tu; got 'x'"):
        estimators.get("curvature_propagation")(net((4, 3, 1)), x, order=2, generator=torch.Generator(), form="x")
