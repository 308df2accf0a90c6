"""Time of the step, value + ∇θ, of every registered estimator, in one process; memory, bias and outcome beside it.

The quick front end: no isolation, so no number here is one for a paper. `python -m bench run` measures those.
"""

import os
import time

import pytest
import torch

import estimators
from bench import problems, references
from bench.meters.accuracy import accuracy
from bench.meters.memory import allocator_peak_bytes
from bench.meters.subject import Subject, generator

DRAWS = 16
DEVICE = os.environ.get("BENCH_DEVICE", "cpu")


def synchronised_timer():
    """Seconds, once all work on the device is done."""
    if DEVICE.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter()


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.benchmark(timer=synchronised_timer, max_time=0.1, min_rounds=5, warmup=True, warmup_iterations=3)
def test_step(benchmark, case):
    estimator, spec = estimators.get(case.name), case.spec()
    benchmark.group = case.group
    if spec is None:
        benchmark.extra_info["outcome"] = "unsupported"
        pytest.skip(f"no model offers {estimator.needs}")
    problems.prepare(spec)
    problem = problems.build(spec, torch.float32, DEVICE)
    subject = Subject(estimator, problem, case.order, estimator.options)

    def step():
        return subject.step(generator(0))

    try:
        values, gradients = step()
    except NotImplementedError as error:
        benchmark.extra_info["outcome"] = "unsupported"
        pytest.skip(str(error))
    finite = all(bool(torch.isfinite(t).all()) for t in (values, *gradients) if t is not None)
    assert finite, f"{case.name} gives values or gradients that are not finite"
    benchmark(step)
    benchmark.extra_info |= {
        "quantity": estimator.quantity,
        "model": spec.model,
        "outcome": "ok",
    }
    if benchmark.enabled:
        benchmark.extra_info["peak_step_bytes"] = allocator_peak_bytes(step, DEVICE)
        benchmark.extra_info |= _accuracy(subject, spec)


def _accuracy(subject, spec):
    twin = Subject(subject.estimator, problems.build(spec, torch.float64, DEVICE), subject.order, subject.options)
    try:
        reference = references.load_or_compute(spec, twin.estimator.quantity, twin.order, twin.estimator.target)
    except NotImplementedError as error:
        return {"reference": f"none: {error}"}
    found = accuracy(subject, twin, reference, DRAWS)
    return {name: value for name, value in found.items() if name.startswith(("grad_", "bias_", "reference", "draws"))}
