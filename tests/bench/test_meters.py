"""Meters read what was planted, and predictions agree with what is measured."""

import time
from dataclasses import replace

import pytest
import torch

import estimators
from bench import problems
from bench.meters import clock, flops, memory
from bench.meters.accuracy import NotFinite, accuracy, draw_seed
from bench.meters.prediction import Unpredictable, predict
from bench.meters.state import Snapshot
from bench.meters.subject import Subject, generator
from bench.point import ProblemSpec
from bench.references import Reference, load_or_compute

MIB = 2**20
SPEC = ProblemSpec(dim=16, depth=2, width=32, batch=16)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    problems.prepare(SPEC)
    return SPEC


def _subject(name, spec, dtype=torch.float32, **options):
    estimator = estimators.get(name)
    order = 2 if estimator.supports(2) else estimator.orders[0]
    return Subject(estimator, problems.build(spec, dtype), order, {**estimator.options, **options})


def test_a_planted_peak_is_read_to_64_kib():
    def call():
        held = torch.empty(32 * MIB, dtype=torch.uint8)
        del held
        return torch.empty(MIB, dtype=torch.uint8)

    assert abs(memory.allocator_peak_bytes(call, "cpu") - 32 * MIB) <= 64 * 1024


def test_the_peak_repeats_to_the_byte(prepared):
    subject = _subject("ssm", prepared)
    peaks = {memory.allocator_peak_bytes(lambda: subject.step(generator(0)), "cpu") for _ in range(3)}
    assert len(peaks) == 1


def test_resident_memory_sees_what_the_allocator_does_not():
    def call():
        bytearray(b"x" * (64 * MIB))

    peak = memory.rss_peak_bytes(call)
    assert peak is None or 60 * MIB <= peak <= 160 * MIB


def test_the_clock_reads_a_planted_delay():
    timer = clock.Clock(lambda: time.sleep(0.02), "cpu")
    timer.warm_up(0.1)
    samples = timer.block(0.2)
    assert min(samples) == pytest.approx(0.02, rel=0.03)


def test_short_calls_are_timed_several_at_a_time():
    timer = clock.Clock(lambda: None, "cpu")
    timer.warm_up(0.05)
    assert timer.calls_per_sample > 100
    assert 0 < min(timer.block(0.01)) < 5e-6


def test_flops_of_a_product_and_its_gradients():
    a = torch.randn(8, 16, requires_grad=True)
    b = torch.randn(16, 4, requires_grad=True)
    forward = 2 * 8 * 16 * 4
    assert flops.count(lambda: a.detach() @ b.detach()) == forward
    assert flops.count(lambda: torch.autograd.grad((a @ b).sum(), (a, b))) == 3 * forward


def test_flops_of_a_linear_layer_without_graph():
    layer = torch.nn.Linear(16, 4)
    with torch.no_grad():
        assert flops.count(lambda: layer(torch.randn(8, 16))) == 2 * 8 * 16 * 4


N = 12
LINEAR_ALGEBRA_FLOPS = {
    "slogdet": (lambda a: torch.linalg.slogdet(a)[1], 2 * N**3 // 3),
    "slogdet of a stack": (lambda a: torch.linalg.slogdet(a.expand(3, N, N))[1], 3 * (2 * N**3 // 3)),
    "inverse": (torch.linalg.inv, 2 * N**3),
    "solve": (lambda a: torch.linalg.solve(a, a[:, :5]), 2 * N**3 // 3 + 2 * N**2 * 5),
    "solve from the right": (lambda a: torch.linalg.solve(a, a[:5], left=False), 2 * N**3 // 3 + 2 * N**2 * 5),
    "factors": (lambda a: torch.linalg.lu_solve(*torch.linalg.lu_factor(a), a), 2 * N**3 // 3 + 2 * N**3),
    "cholesky": (lambda a: torch.linalg.cholesky(a + 99 * torch.eye(N)), N**3 // 3),
    "triangular": (lambda a: torch.linalg.solve_triangular(a.tril(), a, upper=False), N**3),
    "qr of a tall one": (lambda a: torch.linalg.qr(a[:, :3]), 2 * (2 * N * 9 - 2 * 27 // 3)),
    "triangle of a wide one": (lambda a: torch.linalg.qr(a[:3], mode="r"), 4 * 9 * N - 2 * (N + 3) * 9 + 36),
}


@pytest.mark.parametrize("name", LINEAR_ALGEBRA_FLOPS)
def test_flops_of_linear_algebra_are_the_standard_counts(name):
    call, expected = LINEAR_ALGEBRA_FLOPS[name]
    a = torch.randn(N, N, generator=torch.Generator().manual_seed(0)) + 9 * torch.eye(N)
    assert flops.count(lambda: call(a)) == expected


def test_the_gradient_of_a_log_determinant_is_a_solve_of_all_columns():
    a = torch.randn(N, N, requires_grad=True)
    assert flops.count(lambda: torch.autograd.grad(torch.linalg.slogdet(a)[1], a)) == 2 * N**3 // 3 + 2 * N**3


# Nested dual numbers: torch takes another path when operations are traced, and rows withdraw the prediction.
TRACED_APART = {"nested_forward", "ssm_forward"}
FAMILIES = {"conditional_scores": "made", "equilibrium": "deq", "flow": "nice", "residual": "score_pinn"}


@pytest.mark.parametrize("name", estimators.names())
def test_predicted_peak_agrees_with_the_measured_one_or_there_is_a_reason_why_not(prepared, name):
    """Within 10 % for all built-in estimators but those named; solvers of equilibria stop by what they have reached."""
    needs = estimators.get(name).needs
    spec = replace(prepared, model=FAMILIES.get(needs, prepared.model))
    problems.prepare(spec)
    if needs == "equilibrium":
        with pytest.raises(Unpredictable, match="control flow depends on data"):
            predict(_subject(name, spec), lambda: generator(0))
        return
    subject = _subject(name, spec)
    measured = memory.allocator_peak_bytes(lambda: subject.step(generator(0)), "cpu")
    predicted = predict(_subject(name, spec), lambda: generator(0)).peak_bytes
    assert (abs(predicted / measured - 1) > 0.1) == (name in TRACED_APART), (predicted, measured)


def test_a_prediction_that_is_off_is_withdrawn_with_the_reason():
    from bench.solo import disagreement

    assert disagreement(109, 100) == ""
    assert disagreement(109, None) == ""
    assert "625 bytes on fake tensors, 428 measured" in disagreement(625, 428)


def test_control_flow_on_data_has_no_prediction_and_says_why(prepared):
    subject = _subject("ssm", prepared)
    subject.problem.model.log_density = lambda x: x.sum(-1) if x.sum() > 0 else -x.sum(-1)
    with pytest.raises(Unpredictable, match="depends on data"):
        predict(subject, lambda: generator(0))


def _reference_of(subject):
    return load_or_compute(subject.problem.spec, subject.estimator.quantity, subject.order, subject.estimator.target)


def test_an_exact_estimator_has_no_bias_but_rounding(prepared):
    found = accuracy(
        _subject("sm_exact", prepared),
        _subject("sm_exact", prepared, torch.float64),
        _reference_of(_subject("sm_exact", prepared)),
        draws=16,
    )
    assert found["bias_route"] == "deterministic"
    assert found["draws"] == 1
    assert 0 < found["grad_bias"] < 1e-5
    assert found["grad_bias"] == found["grad_bias_low"] == found["grad_bias_high"]
    assert found["grad_bias"] == pytest.approx(found["grad_rounding"], rel=1e-3)
    assert found["grad_std"] == found["value_std"] == 0
    assert found["grad_cosine"] == pytest.approx(1, abs=1e-6)


def test_the_paired_route_resolves_a_bias_of_1e_6(prepared):
    """Central differences in float64: ε is chosen so that the relative bias is near 1e-6, far below the probe noise."""
    subject = _subject("fd_ssm", prepared, torch.float64, eps=3e-3)
    found = accuracy(subject, subject, _reference_of(subject), draws=64)
    assert found["bias_route"] == "paired"
    assert found["bias_resolved"]
    assert 1e-7 < found["grad_bias_low"] <= found["grad_bias"] <= found["grad_bias_high"] < 1e-5
    assert found["grad_std"] > 0.1  # of one draw: the direct route could not have seen it
    assert found["grad_rounding"] is None  # float64 rows have none


def test_a_planted_bias_of_three_tenths_is_found_by_the_direct_route(prepared):
    subject = _subject("ssm", prepared, torch.float64)
    exact = _reference_of(subject)
    shifted = Reference(exact.value, exact.gradient / 1.3, exact.minibatch_std, "planted", exact.route)
    found = accuracy(subject, subject, shifted, draws=256)
    assert found["bias_route"] == "direct"
    assert found["bias_resolved"]
    assert found["grad_bias_low"] < 0.3 < found["grad_bias_high"]


def test_denoising_has_no_value_bias_for_its_objective_has_another_constant(prepared):
    subject = _subject("dsm", prepared, torch.float64)
    found = accuracy(subject, subject, _reference_of(subject), draws=16)
    assert "value_bias" not in found
    assert found["reference"].startswith("exact sm on the clean data")


def test_a_draw_is_the_same_in_every_dtype(prepared):
    low, high = (_subject("ssm", prepared, dtype) for dtype in (torch.float32, torch.float64))
    gradients = [s.flat_gradient(s.step(generator(draw_seed(s.problem, 1)))[1]) for s in (low, high)]
    other = high.flat_gradient(high.step(generator(draw_seed(high.problem, 2)))[1])
    assert torch.dist(gradients[0], gradients[1]) < 1e-5 * gradients[1].norm()
    assert torch.dist(gradients[1], other) > 0.1 * gradients[1].norm()


def test_a_draw_that_is_not_finite_is_named(prepared):
    subject = _subject("ssm", prepared)
    calls = []
    step = subject.step

    def sometimes(which):
        value, gradient = step(which)
        calls.append(which)
        return (value * float("nan") if len(calls) == 3 else value), gradient

    object.__setattr__(subject, "step", sometimes)
    with pytest.raises(NotFinite, match="draw 3 of 16: 16 of 16 entries of the value"):
        accuracy(subject, _subject("ssm", prepared, torch.float64), _reference_of(subject), draws=16)


def test_frozen_parameters_are_left_out(prepared):
    subject = _subject("ssm", prepared)
    frozen = next(subject.problem.model.parameters()).requires_grad_(False)
    assert all(parameter is not frozen for parameter in subject.problem.parameters)
    _, gradients = subject.step(generator(0))
    assert len(gradients) == len(list(subject.problem.model.parameters())) - 1


def test_gradients_are_flattened_draw_by_draw_with_zeros_for_parameters_that_play_no_part(prepared):
    subject = _subject("ssm", prepared)
    draws = [subject.step(generator(k))[1] for k in range(3)]
    draws[1] = (None, *draws[1][1:])
    flat = subject.flat_gradients(draws)
    assert flat.dtype == torch.float64
    for row, draw in zip(flat, draws, strict=True):
        every = zip(subject.problem.parameters, draw, strict=True)
        pieces = [(torch.zeros(p.numel()) if g is None else g).flatten() for p, g in every]
        assert torch.equal(row, torch.cat(pieces).double())
        assert torch.equal(row, subject.flat_gradient(draw))


def test_state_that_is_left_alone_is_not_reported(prepared):
    subject = _subject("ssm", prepared)
    before = Snapshot.of(subject.problem)
    subject.step(generator(0))
    assert before.changes(subject.problem) == []


@pytest.mark.parametrize(("name", "low", "high"), [("sm_forward", 1e-4, 0.05), ("taylor_ssm", 1e-4, 0.05)])
def test_bfloat16_rows_are_held_against_float64_rounding_included(prepared, name, low, high):
    """Parameters, rows and probes are rounded to it: per mille of error where float32 has 1e-6."""
    twin, reference = _subject(name, prepared, torch.float64), load_or_compute(prepared, "score_matching", 2)
    half, single = (
        accuracy(_subject(name, prepared, dtype), twin, reference, draws=16)
        for dtype in (torch.bfloat16, torch.float32)
    )
    assert low < half["grad_bias"] < high and low < half["grad_rounding"] < high
    assert single["grad_rounding"] < 1e-5
