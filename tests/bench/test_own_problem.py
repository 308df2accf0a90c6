"""The worked example of docs/own_problem.md, run as it stands there, and what third parties can register."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import estimators
from bench import cache, data, problems, references
from bench.data import source
from bench.point import ProblemSpec
from bench.problems import registry
from bench.problems.build import content
from bench.sweep import load

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "own_problem.md"


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ESTIMATOR_BENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def registries():
    """What a test registers is gone after it."""
    kept = [(known, dict(known)) for known in (registry._models, source._sources, registry._files)]
    yield
    for known, before in kept:
        known.clear()
        known.update(before)


def test_the_worked_example_is_measured_like_a_built_in_problem(tmp_path, monkeypatch, capsys):
    first, second = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    (tmp_path / "my_energy.py").write_text(first)
    np.savetxt(tmp_path / "rows.csv", np.random.default_rng(0).normal(size=(100, 9)), delimiter=",")
    monkeypatch.chdir(tmp_path)
    exec(compile(second, str(DOCUMENT), "exec"), {})
    routes = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [r[0] for r in routes] == ["reverse", "forward"]
    for a, b in zip(routes[0][1:], routes[1][1:], strict=True):
        assert float(a) == pytest.approx(float(b), rel=1e-9)

    (sweep,) = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    (tmp_path / "my_sweep.toml").write_text(sweep)
    assert len(load(tmp_path / "my_sweep.toml").points()) == 6 * 2  # six estimators at two stages

    spec = ProblemSpec(model="my_energy", data="my_rows", dim=8, width=16, batch=6, stage="trained")
    reference = references.load_or_compute(spec, "score_matching")
    problem = problems.build(spec)
    value = estimators.get("sm_exact")(problem.model, problem.x)
    torch.testing.assert_close(value.detach(), reference.value, rtol=1e-10, atol=1e-10)
    gradient = torch.cat(
        [g.reshape(-1) for g in torch.autograd.grad(value.mean(), problem.parameters, materialize_grads=True)]
    )
    assert (gradient - reference.gradient).norm() <= 1e-9 * reference.gradient.norm()
    with pytest.raises(ValueError, match="has 100 rows: batch has to be at most 100; got 101"):
        problems.check(ProblemSpec(model="my_energy", data="my_rows", dim=8, batch=101))
    with pytest.raises(ValueError, match="has dim 1…9; got 10"):
        problems.check(ProblemSpec(model="my_energy", data="my_rows", dim=10, batch=10))


def test_a_changed_table_is_another_source(tmp_path):
    table = tmp_path / "t.npy"
    hashes = []
    for k, value in enumerate((0.0, 1.0)):
        np.save(table, np.full((3, 2), value))
        make = lambda dim, count: np.load(table)  # noqa: E731
        hashes.append(data.register(data.Source(f"changing_{k}", make=make, files=(table,))).source_hash)
    assert hashes[0] != hashes[1] and cache.digest({"h": hashes[0]}) != cache.digest({"h": hashes[1]})


class EntryPoint:
    """An installed distribution's entry point, as importlib.metadata gives it."""

    dist, value = None, "somebody.problems"

    def __init__(self, load):
        self.load = load


def test_installed_distributions_bring_problems_and_a_broken_one_only_warns(monkeypatch):
    def good():
        problems.register("installed_energy")(lambda spec, rows, generator: torch.nn.Identity())

    def broken():
        problems.register("half_installed")(lambda spec, rows, generator: torch.nn.Identity())
        raise RuntimeError("no licence")

    monkeypatch.setattr(registry, "entry_points", lambda group: [EntryPoint(broken), EntryPoint(good)])
    monkeypatch.setattr(registry, "_entry_points_loaded", False)
    with pytest.warns(UserWarning, match="do not load: RuntimeError: no licence"):
        registry.load_entry_points()
    assert "installed_energy" in problems.MODELS and "half_installed" not in problems.MODELS


def test_wrong_facts_are_refused_with_the_allowed_ones():
    with pytest.raises(ValueError, match=r"has to match \[a-z\]"):
        problems.register("My-Energy")
    with pytest.raises(ValueError, match="quantities have to be among directional, .*; got 'trace'"):
        problems.register("x", quantities=("trace",))
    with pytest.raises(ValueError, match="needs have to be among function, .*; got 'gradient'"):
        problems.register("x", needs=("gradient",))
    with pytest.raises(ValueError, match="a model called 'mlp' is registered already, by bench"):
        problems.register("mlp")


def test_problem_files_register_models_and_data_and_leave_nothing_when_they_fail(tmp_path):
    good = tmp_path / "mine.py"
    good.write_text(
        "import torch\nfrom bench import data, problems\n"
        "class Energy(torch.nn.Module):\n"
        "    def __init__(self, dim):\n"
        "        super().__init__()\n"
        "        self.net = torch.nn.Sequential(torch.nn.Linear(dim, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))\n"
        "    def log_density(self, x):\n"
        "        return self.net(x).squeeze(-1)\n"
        "@problems.register('energy_of_mine')\n"
        "def energy_of_mine(spec, rows, generator):\n"
        "    return Energy(spec.dim)\n"
        "data.register(data.Source('rows_of_mine', draw=lambda d, b, g: torch.rand(b, d, generator=g).double()))\n"
    )
    assert problems.load_file(good) == ("energy_of_mine",) == problems.load_file(good)
    spec = ProblemSpec(model="energy_of_mine", data="rows_of_mine", dim=3, batch=4)
    problems.prepare(spec)
    a, b = problems.build(spec), problems.build(spec)
    assert all(torch.equal(p, q) for p, q in zip(a.parameters, b.parameters, strict=True))
    assert content(a.spec)["model_source"]
    bad = tmp_path / "bad.py"
    bad.write_text(
        "from bench import data, problems\n"
        "problems.register('half')(lambda spec, rows, generator: None)\n"
        "data.register(data.Source('half_rows', draw=lambda d, b, g: None))\nraise RuntimeError('stop')\n"
    )
    with pytest.raises(RuntimeError, match="stop"):
        problems.load_file(bad)
    assert "half" not in problems.MODELS and "half_rows" not in problems.DATA
    with pytest.raises(FileNotFoundError):
        problems.load_file(tmp_path / "none.py")


def test_the_table_of_problems_names_every_model_and_every_source():
    text = (DOCUMENT.parent / "problems.md").read_text()
    assert [name for name in (*problems.MODELS, *problems.DATA) if f"`{name}`" not in text] == []
