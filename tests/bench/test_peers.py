"""Other packages' estimators: those that are not installed are not there, and the products handed to them are right."""

import importlib.util
from pathlib import Path

import pytest
import torch

import bench.peers
import estimators
from bench.peers.input_hessian import InputHessian, by_rows, seed_from

FOLDER = Path(bench.peers.__file__).parent


@pytest.fixture(autouse=True)
def throw_registrations_away(monkeypatch):
    monkeypatch.setattr(estimators.registry, "_estimators", dict(estimators.registry._estimators))


def test_absent_packages_are_not_listed(monkeypatch):
    before = estimators.names()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        ImportError, match="none of jet, curvlinops, skerch is installed here; bench/peers/requirements"
    ):
        estimators.load_file(FOLDER / "installed.py")
    assert estimators.names() == before


def test_every_plugin_is_among_the_installed_ones():
    files = {path.name for path in FOLDER.glob("*.py") if "@estimators.register(" in path.read_text()}
    text = (FOLDER / "installed.py").read_text()
    assert files and all(f'"{name}"' in text for name in files)


@pytest.mark.parametrize("package", ["jet", "curvlinops", "skerch"])
def test_installed_packages_register_peers(package):
    """Runs in the environment of bench/peers/requirements.txt."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    names = [n for n in estimators.load_file(FOLDER / "installed.py") if n.startswith(package)]
    assert names and all("peer" in estimators.get(n).tags for n in names)


def test_products_with_the_hessian_in_the_input_and_their_gradients():
    weight = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def f(points):
        return torch.tanh(points @ weight.T).sum(-1)

    def trace(hessian):
        return hessian.columns(torch.eye(4, dtype=torch.float64)).trace()

    traces, exact = by_rows(f, x, trace), estimators.get("forward_laplacian")(f, x)
    torch.testing.assert_close(traces, exact, rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad(t.mean(), weight)[0] for t in (traces, exact)]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)
    with torch.no_grad():
        assert not by_rows(f, x, trace).requires_grad
    linear = InputHessian(lambda points: points.sum(-1), x[:1])
    assert not linear.columns(torch.ones(4, 2, dtype=torch.float64)).any()


def test_a_seed_follows_the_generator():
    seeds = [seed_from(torch.Generator().manual_seed(s)) for s in (0, 0, 1)]
    assert seeds[0] == seeds[1] != seeds[2]
