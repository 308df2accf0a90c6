"""Models that are no fixed function of one row are named and refused, and left as they were."""

import math
import re
from dataclasses import replace

import pytest
import torch
from torch import nn

from bench import problems
from bench.point import ProblemSpec
from bench.problems import fixed_function, registry


class Energy(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 6), *layers, nn.Tanh(), nn.Linear(6, 1))

    def log_density(self, x):
        return self.net(x).squeeze(-1)


def spectral(module):
    return nn.utils.parametrizations.spectral_norm(module)


def old_spectral(module):
    return nn.utils.spectral_norm(module)


CASES = {
    "dropout": (lambda: [nn.Dropout(0.1)], "two calls on the same rows differ", "net.1 (Dropout)"),
    "batch norm": (lambda: [nn.BatchNorm1d(6)], "changes by .* with the rows beside it", "net.1 (BatchNorm1d)"),
    "spectral norm": (lambda: [spectral(nn.Linear(6, 6))], "two calls on the same rows differ", "(SpectralNorm)"),
    "old spectral norm": (lambda: [old_spectral(nn.Linear(6, 6))], "two calls on the same rows differ", "SpectralNorm"),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", CASES)
def test_it_is_named_and_the_model_and_the_random_state_are_as_before(name, dtype):
    layers, message, suspect = CASES[name]
    torch.manual_seed(1)
    model, x = Energy(*layers()).to(dtype), torch.randn(8, 4, dtype=dtype)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    random = torch.get_rng_state()
    why = fixed_function.why_not(model, x)
    assert re.search(message, why) and suspect in why
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert fixed_function.why_not(model.eval(), x) == ""


@pytest.mark.parametrize("mix", [lambda x: x - x.mean(0), lambda x: x.cumsum(0)], ids=["all", "those before"])
def test_a_row_that_sees_others_is_caught_without_any_known_layer(mix):
    class Mixed(Energy):
        def log_density(self, x):
            return super().log_density(mix(x))

    assert "with the rows beside it" in fixed_function.why_not(Mixed(), torch.randn(8, 4))
    assert fixed_function.why_not(Energy(), torch.randn(1, 4)) == ""


def test_values_that_are_not_finite_are_another_outcome_and_rounding_is_none():
    class Log(Energy):
        def log_density(self, x):
            return super().log_density(x) + (x[:, 0] - 10).log()  # NaN in every row, the same at every call

    assert fixed_function.why_not(Log(), torch.randn(8, 4)) == ""

    class Flickering(Energy):
        calls, size = 0, 0.0

        def log_density(self, x):
            self.calls += 1
            return super().log_density(x) * (1 + self.size * self.calls)

    model = Flickering()
    for model.size, named in ((1e-7, False), (1e-5, True)):  # one rounding of float32, and a hundred of them
        assert ("two calls" in fixed_function.why_not(model, torch.randn(8, 4))) == named

    class SometimesNan(Energy):
        calls = 0

        def log_density(self, x):
            self.calls += 1
            return super().log_density(x) * (math.nan if self.calls == 2 else 1)

    assert "two calls on the same rows differ by inf" in fixed_function.why_not(SometimesNan(), torch.randn(8, 4))


def test_a_third_partys_model_is_refused_and_ours_are_not_asked(monkeypatch, tmp_path):
    monkeypatch.setenv("ESTIMATOR_BENCH_CACHE", str(tmp_path))
    spec = ProblemSpec(data="gaussian", dim=4, depth=1, width=4, batch=8)
    problems.prepare(spec)
    problem = replace(problems.build(spec, torch.float32), model=Energy(nn.Dropout(0.5)))
    fixed_function.check(problem)
    theirs = replace(problems.MODELS["mlp"], origin="/theirs.py")
    monkeypatch.setitem(registry._models, "mlp", theirs)
    with pytest.raises(NotImplementedError, match="not a fixed function of one row: two calls"):
        fixed_function.check(problem)


@pytest.mark.parametrize("name", problems.MODELS)
def test_built_in_models_are_fixed_functions_of_one_row(name, monkeypatch, tmp_path):
    monkeypatch.setenv("ESTIMATOR_BENCH_CACHE", str(tmp_path))
    family = problems.MODELS[name]
    dim = 4 if family.dims is None or 4 in family.dims else family.dims[0]
    data = family.data[0] if family.data else "gaussian"
    spec = ProblemSpec(model=name, data=data, dim=dim, depth=2, width=8, batch=8)
    problems.prepare(spec)
    problem = problems.build(spec)
    assert fixed_function.why_not(problem.model, problem.x) == ""
    assert fixed_function.why_not(problem.model.float(), problem.x.float()) == ""


def test_a_fused_layer_norm_is_told():
    assert fixed_function.fused_layer_norms(Energy(nn.LayerNorm(6))) == ["net.1"]
