"""The forward Laplacian's column compression, and where it must not be used."""

from itertools import pairwise

import pytest
import torch
from torch import nn

import estimators
from estimators.taylor.coordinates import over_coordinates


def _net(dim, width, seed=0):
    torch.manual_seed(seed)
    sizes = (dim, width, 8, 1)
    layers = [m for a, b in pairwise(sizes) for m in (nn.Linear(a, b), nn.Tanh())]
    return nn.Sequential(*layers[:-1]).double()


def _exact(f, x):
    x = x.detach().requires_grad_(True)
    (g,) = torch.autograd.grad(f(x).sum(), x, create_graph=True)
    diagonal = [
        torch.autograd.grad(g[:, i].sum(), x, create_graph=True, materialize_grads=True)[0][:, i]
        for i in range(x.shape[1])
    ]
    return torch.stack(diagonal).sum(0)


def _gradients(y, parameters):
    return torch.autograd.grad(y.sum(), parameters, allow_unused=True, materialize_grads=True)


def _check(f, net, x, relative=1e-12, **options):
    parameters = list(net.parameters())
    actual, expected = estimators.get("forward_laplacian")(f, x, **options), _exact(f, x)
    torch.testing.assert_close(actual, expected, rtol=relative, atol=relative)
    for p, q in zip(_gradients(actual, parameters), _gradients(expected, parameters), strict=True):
        assert p.isfinite().all()
        torch.testing.assert_close(p, q, rtol=relative, atol=relative)


@pytest.mark.parametrize("first", [nn.ELU, nn.ReLU, nn.LeakyReLU, nn.GELU, lambda: nn.LayerNorm(4)])
def test_whatever_operation_comes_first_after_the_affine_map(first):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(9, 4), first(), nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1)).double()
    x = torch.randn(4, 9, dtype=torch.float64)
    compressed, all_columns = (
        estimators.get("forward_laplacian")(net, x, compress=compress) for compress in (True, False)
    )
    parameters = list(net.parameters())
    torch.testing.assert_close(compressed, all_columns, rtol=1e-12, atol=1e-12)
    for p, q in zip(_gradients(compressed, parameters), _gradients(all_columns, parameters), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)


def _duplicate_rows(weight):
    weight[1] = weight[0]


def _zero_row(weight):
    weight[2] = 0


def _all_zero(weight):
    weight.zero_()


@pytest.mark.parametrize("dim, width", [(5, 9), (9, 4), (4, 4), (1, 3), (6, 1)])
@pytest.mark.parametrize("options", [{}, {"chunk": 2}, {"compress": False}])
def test_value_and_gradient_at_every_shape(dim, width, options):
    net = _net(dim, width)
    _check(lambda z: net(z).squeeze(-1), net, torch.randn(4, dim, dtype=torch.float64), **options)


@pytest.mark.parametrize("spoil", [_duplicate_rows, _zero_row, _all_zero])
def test_rank_deficient_first_weights_keep_their_gradient(spoil):
    """Differentiating a QR or Cholesky factor is wrong by tens of percent here, or not a number."""
    net = _net(9, 4)
    with torch.no_grad():
        spoil(net[0].weight)
    _check(lambda z: net(z).squeeze(-1), net, torch.randn(4, 9, dtype=torch.float64))


def test_affine_maps_in_a_row_are_one_affine_map():
    net = _net(9, 4)
    shift = torch.linspace(-1, 1, 9, dtype=torch.float64)
    _check(lambda z: net((z - shift) * 2 / (shift + 3)).squeeze(-1), net, torch.randn(4, 9, dtype=torch.float64))
    deep = nn.Sequential(nn.Linear(9, 7), nn.Linear(7, 3), nn.Softplus(), nn.Linear(3, 1)).double()
    _check(lambda z: deep(z).squeeze(-1), deep, torch.randn(4, 9, dtype=torch.float64))


def test_the_columns_are_compressed():
    net, x = _net(9, 4), torch.randn(3, 9, dtype=torch.float64)

    def pushed(net, x, **options):
        return [series.frame.directions for series in over_coordinates(net, x, **options)]

    assert pushed(net, x) == [4]
    assert pushed(net, x, chunk=3) == [3, 1]
    assert pushed(net, x, compress=False, chunk=4) == [4, 4, 1]
    assert pushed(_net(4, 9), x[:, :4]) == [4]
    assert pushed(net, x, coordinates=torch.tensor([7, 0, 3])) == [3]
    assert pushed(lambda z: net(z) + (z * z).sum(-1, keepdim=True), x, chunk=5) == [5, 4]
    assert pushed(lambda z: torch.sin(z).sum(-1) + net(z).squeeze(-1), x) == [9]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda net: lambda z: net(z).squeeze(-1) - 0.5 * (z * z).sum(-1),
        lambda net: lambda z: net(z).squeeze(-1) * z[:, 0],
        lambda net: lambda z: net(z).squeeze(-1) + net(2 * z).squeeze(-1),
        lambda net: lambda z: (z * z).sum(-1) * net(z).squeeze(-1),
        lambda net: lambda z: net(torch.sin(z)).squeeze(-1),
        lambda net: lambda z: z.sum(-1) + net(z[:, :]).squeeze(-1),
        lambda net: lambda z: (z @ net[0].weight.T)[:, 0] ** 2,
    ],
)
def test_an_input_used_again_falls_back_to_all_columns(wrap):
    net = _net(9, 4)
    _check(wrap(net), net, torch.randn(4, 9, dtype=torch.float64))


def test_differentiating_the_compressed_gradient_once_more_raises_and_the_uncompressed_is_right():
    net, x = _net(9, 4), torch.randn(4, 9, dtype=torch.float64)

    def second(y):
        (g,) = torch.autograd.grad(y.sum(), net[0].weight, create_graph=True)
        return torch.autograd.grad((g * g).sum(), net[0].weight)[0]

    f = nn.Sequential(*net, nn.Flatten(0))
    with pytest.raises(NotImplementedError, match="pass compress=False"):
        second(estimators.get("forward_laplacian")(lambda z: f(z), x))
    actual = second(estimators.get("forward_laplacian")(lambda z: f(z), x, compress=False))
    torch.testing.assert_close(actual, second(_exact(f, x)), rtol=1e-10, atol=1e-10)


def test_float32_value_path_equals_step_path():
    net, x = _net(9, 4).float(), torch.randn(4, 9)
    with torch.no_grad():
        value = estimators.get("forward_laplacian")(net, x)
    torch.testing.assert_close(value, estimators.get("forward_laplacian")(net, x).detach(), rtol=2e-6, atol=2e-6)
