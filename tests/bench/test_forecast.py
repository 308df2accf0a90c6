"""Predicted step times: what rows teach, what a description says, and what a step too long to trace comes to."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from bench import machine, measure
from bench.__main__ import main
from bench.figures import plan_accuracy
from bench.forecast import device
from bench.forecast.learned import Learned
from bench.forecast.step_time import by_rates
from bench.forecast.traced import traced
from bench.measure import Bench
from bench.meters.prediction import TOO_LONG, Prediction
from bench.meters.rates import Rates
from bench.point import Point, ProblemSpec
from bench.sweep import load
from bench.verbs import plan as verb

RATES = np.array([2e-11, 1e-10, 4e-6])
WORK = [(1e6, 1e5, 200), (1e8, 1e6, 300), (1e9, 3e6, 100), (1e8, 5e7, 50), (1e7, 1e7, 900), (3e9, 9e7, 80)]
HERE = json.dumps({"cpu": machine.cpu_model(), "cores_logical": machine.fingerprint()["cores_logical"], "gpus": []})
H100 = {"memory": "80GiB", "matmul": "60TFLOP/s", "bandwidth": "3TB/s", "launch": "5us"}
BIG = Prediction(peak_bytes=1, flops=6 * 10**12, moved_bytes=3 * 10**11, operations=1000)
SMALL = Prediction(peak_bytes=1, flops=6 * 10**6, moved_bytes=10**6, operations=1000)


def _row(estimator, work, speed=1.0, **changes):
    row = {
        "quantity": "score_matching",
        "estimator": estimator,
        "options": {"probes": 1},
        "target": "sm",
        "model": "mlp",
        "data": "digits",
        "width": 16,
        "activation": "tanh",
        "residual": False,
        "stage": "init",
        "batch": 8,
        "dtype": "float32",
        "device": "cpu",
        "threads": 1,
        "dim": WORK.index(work) + 2,
        "depth": 2,
        "order": 2,
        "seed": 0,
        "machine": HERE,
        "outcome": "ok",
        "time_step_s": speed * float(RATES @ work),
        "extra": {"step_work": dict(zip(("flops", "moved_bytes", "operations"), work, strict=True))},
        "key": f"{estimator}{work}{changes}",
        "method_version": 1,
        "started_at": "2026-01-01",
    }
    return {**row, **changes}


def _rows(**changes):
    return [_row(name, work, speed, **changes) for name, speed in (("ssm", 1.0), ("dsm", 1.5)) for work in WORK]


def _point(estimator="ssm", **changes):
    return Point(estimator, "score_matching", ProblemSpec(dim=4096, width=512), 2, {"probes": 1}, **changes)


def _seconds(work, speed=1.0):
    return speed * float(RATES @ (work.flops, work.moved_bytes, work.operations))


def test_planted_rates_are_learnt_for_each_estimator_and_hold_at_any_size():
    learned = Learned(_rows())
    for name, speed in (("ssm", 1.0), ("dsm", 1.5)):
        found = learned.step_time(_point(name), BIG)
        assert found.seconds == pytest.approx(_seconds(BIG, speed), rel=0.05)
        assert found.low_s < _seconds(BIG, speed) < found.high_s and found.basis == "6 rows of this estimator"
    other = learned.step_time(_point("fd_ssm"), BIG)
    assert _seconds(BIG) < other.seconds < _seconds(BIG, 1.5) and other.basis == "12 rows of other estimators"
    assert other.high_s / other.seconds > found.high_s / found.seconds


def test_the_interval_is_as_wide_as_rows_left_out_are_off_and_grows_beyond_them():
    noise = np.exp(0.2 * np.random.default_rng(0).standard_normal(len(WORK)))
    rows = [_row("ssm", work, float(factor)) for work, factor in zip(WORK, noise, strict=True)]
    clean = Learned(_rows()).step_time(_point(), SMALL)
    noisy = Learned(rows + _rows()[6:]).step_time(_point(), SMALL)
    assert clean.spread == 0.05 and 0.1 < noisy.spread < 0.5
    beyond = Learned(_rows()).step_time(_point(), replace(SMALL, flops=int(3e9 * math.e)))
    assert beyond.spread == pytest.approx(0.05 + 0.1)


@pytest.mark.parametrize(
    "changes",
    [
        {"machine": HERE.replace(machine.cpu_model(), "another")},
        {"machine": ""},
        {"dtype": "float64"},
        {"threads": 2},
        {"outcome": "timeout"},
        {"extra": {}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_rows_that_are_not_of_this_machine_or_kind_teach_nothing(changes):
    assert Learned(_rows(**changes)).step_time(_point(), BIG) is None


def test_a_described_gpu_launches_ahead_and_a_cpu_does_not():
    gpu, cpu = device.describe(H100, "here"), device.describe({**H100, "kind": "cpu"}, "here")
    assert gpu.step_time(BIG, "float32").seconds == pytest.approx(0.1 + 0.1)
    assert gpu.step_time(SMALL, "float32").seconds == pytest.approx(5e-3)
    assert cpu.step_time(BIG, "float32").seconds == pytest.approx(0.2 + 5e-3)
    step = gpu.step_time(BIG, "bfloat16")
    assert step.high_s / step.seconds == pytest.approx(2) == step.seconds / step.low_s


def test_this_machine_described_in_words_is_predicted_as_by_its_rates():
    rates = Rates(1e11, s_per_flop=1 / 4e10, s_per_byte=1 / 9e9, s_per_operation=4.5e-6)
    for work in (BIG, SMALL):
        told = plan_accuracy.described({"float32": rates}).step_time(work, "float32").seconds
        assert told == pytest.approx(by_rates(work, rates).seconds, rel=0.01)  # three digits


def test_a_rate_of_zero_is_described_too():
    """A fit may find that moving bytes costs nothing."""
    rates = Rates(1e11, s_per_flop=1 / 4e10, s_per_byte=0.0, s_per_operation=0.0)
    assert plan_accuracy.described({"float32": rates}).step_time(BIG, "float32").seconds == pytest.approx(
        by_rates(BIG, rates).seconds, rel=0.01
    )


WRONG = [
    ('memory = "80GiB"\n', "no matmul and no bandwidth; a device needs memory, matmul, bandwidth"),
    ('memory = 80\nmatmul = "1TFLOP/s"\nbandwidth = "1TB/s"', "memory has to be a positive number with a unit (B, "),
    ('memroy = "80GiB"', "unknown key 'memroy'; did you mean 'memory'?"),
    ('memory = "8GiB"\nmatmul = "400TB/s"\nbandwidth = "1TB/s"', "matmul has to be a positive number with a unit"),
    ('memory = "8GiB"\nbandwidth = "1TB/s"\n[matmul]\nfloat16 = "1TFLOP/s"', "matmul names unknown dtype 'float16'"),
    ('memory = "8GiB"\nmatmul = "1TFLOP/s"\nbandwidth = "1TB/s"\nkind = "tpu"', "kind has to be one of cuda, cpu"),
    ("memory = 80GiB", "not valid TOML"),
]


@pytest.mark.parametrize(("text", "told"), WRONG)
def test_a_wrong_description_is_one_clear_line(tmp_path, capsys, text, told):
    (tmp_path / "d.toml").write_text(text)
    assert main(["plan", "smoke", "--device", str(tmp_path / "d.toml")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and f"{tmp_path / 'd.toml'}: {told}" in error


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--device", "no.toml"], "device file no.toml cannot be read: No such file"),
        (["--memory", "8GiB"], "the command line: no matmul and no bandwidth"),
        (["--device", "no.toml", "--launch", "5us"], "--device and --launch both describe a device"),
    ],
)
def test_wrong_options_are_one_clear_line(capsys, arguments, told):
    assert main(["plan", "smoke", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_a_plan_for_a_device_marks_what_does_not_fit(capsys, tmp_path):
    (tmp_path / "s.toml").write_text(
        'quantity = "score_matching"\nestimators = ["sm_exact", "dsm"]\n'
        'grid = { model = "mlp", data = "gaussian", dim = 16, depth = 2, width = 32, batch = 32 }\n'
    )
    asked = ["--memory", "500KiB", "--matmul", "1TFLOP/s", "--bandwidth", "1TB/s"]
    assert main(["plan", str(tmp_path / "s.toml"), "--json", *asked]) == 0
    exact, noised = json.loads(capsys.readouterr().out)["points"]
    assert (exact["fits"], noised["fits"]) == (False, True) and exact["memory_bytes"] > 500 * 1024
    assert noised["memory_bytes"] % 512 == 0  # CUDA's blocks
    assert noised["step_high_s"] == pytest.approx(2 * noised["step_s"]) and noised["device"] == "cpu"
    told = "\n".join(verb._sums(load(tmp_path / "s.toml").points(), [exact, noised], device.describe(H100, "here")))
    assert "1 point will not fit on described device, which holds 80.0 GiB: marked !" in told
    assert "a factor of two either way is assumed" in told and verb._memory([exact, noised]).startswith("! ")


def test_a_step_too_long_to_trace_comes_from_smaller_dimensions(monkeypatch):
    """The loop over D of hvp_loop, traced whole and from dimensions up to a third of it."""
    spec = ProblemSpec(data="gaussian", dim=72, depth=1, width=16, batch=8)
    point = Point("hvp_loop", "laplacian", spec, 2, {"recompute": False})
    with Bench() as bench:
        whole = traced(point, bench)
        small = bench.prediction
        monkeypatch.setattr(
            bench,
            "prediction",
            lambda p: small(p) if p.problem.dim <= 24 else (None, f"{TOO_LONG} 3 s"),
        )
        guessed = traced(point, bench)
        monkeypatch.setattr(measure, "PREDICTION_S", 0.0)
        too_long = small(point)[1]
    assert not whole.reason and whole.up_to == 0 and guessed.up_to == 24
    for kind in ("flops", "moved_bytes", "operations", "resident_bytes"):
        assert getattr(guessed.work, kind) == pytest.approx(getattr(whole.work, kind), rel=0.01), kind
    assert too_long.startswith(TOO_LONG)
    assert guessed.work.peak_bytes == pytest.approx(whole.work.peak_bytes, rel=0.05)
