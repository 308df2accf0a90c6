"""What a model is said to do in one evaluation, and an estimator in a step, is what traces and counters show."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import estimators
from bench import problems
from bench.forecast import nominal, work
from bench.forecast.evaluation import FAMILIES, evaluation
from bench.meters import flops
from bench.meters.prediction import Tracking, _fake
from bench.meters.subject import Subject, generator
from bench.point import Point, ProblemSpec
from bench.problems.registry import MODELS

SIZES = ((1, 32, 8), (3, 24, 16))  # depth, width, batch


def _spec(name, depth, width, batch):
    model = MODELS[name]
    dims = model.dims or (12, 40)
    dim = dims[0 if depth == 1 else 1] if len(dims) < 1000 else (12 if depth == 1 else 40)
    data = (model.data or ("gaussian",))[0]
    activation = "softplus" if model.activations is None or "softplus" in model.activations else model.activations[0]
    return ProblemSpec(model=name, data=data, dim=dim, depth=depth, width=width, batch=batch, activation=activation)


def _traced(spec):
    problems.prepare(spec)
    problem = problems.build(spec, torch.float32)
    mode = FakeTensorMode()
    faked = _fake(problem, mode)
    likelihood = {} if "log_likelihood" not in MODELS[spec.model].quantities else {"constant_log_dets": False}
    with mode, (tracking := Tracking(1)):
        model = faked.model
        model.log_density(faked.x, **likelihood) if hasattr(model, "log_density") else model.score(faked.x)
    return tracking.flops, tracking.operations


def test_every_family_has_a_formula():
    assert set(FAMILIES) == {name for name, model in MODELS.items() if model.origin == "bench"}


@pytest.mark.parametrize("name", {formula: name for name, formula in FAMILIES.items()}.values())
def test_the_formulas_are_what_is_traced(name, monkeypatch, tmp_path):
    monkeypatch.setenv("ESTIMATOR_BENCH_CACHE", str(tmp_path))
    for depth, width, batch in SIZES[name.startswith("deq") :]:
        spec = _spec(name, depth, width, batch)
        flops, operations = _traced(spec)
        said = evaluation(spec)
        assert said.row_flops * batch + said.fixed_flops == pytest.approx(flops, rel=0.1), spec
        assert said.operations == pytest.approx(operations, rel=0.15), spec


UNDECLARED = [
    *[(name, {}, "deq") for name in ("deq_exact", "deq_neumann", "deq_phantom", "deq_phantom_ssm", "deq_unrolled")],
    ("pinn_exact", {}, "score_pinn"),
    ("pinn_squared", {"probes": 4}, "score_pinn"),
    ("pinn_two_halves", {"probes": 8}, "score_pinn"),
    ("mle", {}, "nice"),
]


def _point(name, options, model, **sizes):
    estimator = estimators.get(name)
    data = (MODELS[model].data or ("gaussian",))[0]
    activation = "tanh" if model == "score_pinn" else "softplus"
    spec = ProblemSpec(**{"model": model, "data": data, "dim": 6, "depth": 2, "width": 24, "batch": 8, **sizes})
    spec = replace(spec, activation=activation)
    order = 2 if estimator.supports(2) else 0
    return Point(name, estimator.quantity, spec, order, {**estimator.options, **options})


@pytest.mark.parametrize(("name", "options", "model"), UNDECLARED)
def test_estimators_that_declare_no_passes_are_counted(name, options, model, monkeypatch, tmp_path):
    """Within a factor of 1.6: iterations depend on the data, and products that gradients leave out are not known."""
    monkeypatch.setenv("ESTIMATOR_BENCH_CACHE", str(tmp_path))
    point = _point(name, options, model)
    problems.prepare(point.problem)
    subject = Subject(estimators.get(name), problems.build(point.problem, torch.float32), point.order, point.options)
    counted = flops.count(lambda: subject.step(generator(0)))
    assert 1 / 1.6 < work.step_work(point).flops / counted < 1.6


def test_dear_models_are_dear():
    """Steps of the same estimator at one size, as they were measured: a kernel's is many times a dense network's."""
    seconds = {model: nominal.step_s(_point("fd_ssm", {}, model, dim=64, width=32)) for model in ("mlp", "dkef", "deq")}
    assert seconds["dkef"] > 10 * seconds["mlp"] and seconds["deq"] > 10 * seconds["mlp"]


def test_a_third_partys_model_counts_as_dense():
    spec = ProblemSpec(dim=10, depth=3, width=16)
    assert evaluation(replace(spec, model="somebodys")) == evaluation(spec)
