"""The frame under every figure: values worked out by hand."""

from __future__ import annotations

import math

import pytest
from scipy.stats import chi2

from reports.frames.points import points
from reports.frames.rows import from_rows

BASE = {
    "quantity": "score_matching", "estimator": "ssm", "target": "sm", "dim": 4, "depth": 2, "order": 2, "outcome": "ok",
    "dtype": "float32", "time_step_s": 1e-3,
}  # fmt: skip


def one(**row):
    return points(from_rows([BASE | row])).iloc[0]


def test_rmse_joins_bias_and_std_and_its_interval_joins_the_ends():
    row = one(
        estimator="plugin_x",
        grad_bias=0.3,
        grad_bias_low=0.2,
        grad_bias_high=0.5,
        bias_resolved=True,
        grad_std=0.4,
        draws=64,
    )
    assert row.rmse == pytest.approx(0.5)
    low = 0.4 * math.sqrt(63 / chi2.ppf(0.975, 63))
    high = 0.4 * math.sqrt(63 / chi2.ppf(0.025, 63))
    assert (row.std_low, row.std_high) == (pytest.approx(low), pytest.approx(high))
    assert row.rmse_low == pytest.approx(math.hypot(0.2, low))
    assert row.rmse_high == pytest.approx(math.hypot(0.5, high))


def test_an_estimator_that_is_unbiased_by_construction_is_charged_only_with_proven_bias():
    unresolved = {"grad_bias": 0.01, "grad_bias_low": 0.0, "grad_bias_high": 0.08, "bias_resolved": False}
    assert one(**unresolved).bias_sure == 0.0
    assert one(**unresolved, estimator="plugin_x").bias_sure == 0.08
    resolved = {"grad_bias": 0.05, "grad_bias_low": 0.03, "grad_bias_high": 0.07, "bias_resolved": True}
    assert one(**resolved).bias_sure == 0.03


def test_unbiased_for_another_target_says_nothing_about_the_exact_gradient():
    row = one(estimator="dsm", target="dsm", grad_bias=0.1, grad_bias_low=0.0, grad_bias_high=0.2, bias_resolved=False)
    assert row.declared_bias == "unknown"
    assert row.bias_sure == 0.2


def test_labels_tell_only_the_options_that_vary():
    frame = points(from_rows([
        BASE | {"options": {"probes": 1, "law": "sphere"}},
        BASE | {"options": {"probes": 4, "law": "sphere"}},
        BASE | {"estimator": "fd_ssm", "options": {"eps": 0.1, "probes": 1}},
        BASE | {"estimator": "fd_ssm", "options": {"eps": 1.0, "probes": 1}},
    ]))  # fmt: skip
    assert list(frame["label"]) == ["ssm (M=1)", "ssm (M=4)", "fd_ssm (ε=0.1)", "fd_ssm (ε=1)"]
    assert list(frame["series"]) == ["ssm", "ssm", "fd_ssm", "fd_ssm"]
    assert list(frame["step_value"][2:]) == [0.1, 1.0]


def test_a_law_that_varies_makes_another_series():
    rows = [BASE | {"options": {"probes": m, "law": law}} for m in (1, 2) for law in ("sphere", "gaussian")]
    assert set(points(from_rows(rows))["series"]) == {"ssm (law=sphere)", "ssm (law=gaussian)"}


def test_rows_that_are_not_ok_keep_their_reason_and_have_no_numbers():
    row = one(outcome="timeout", reason="stopped after 60 s", time_step_s=None)
    assert not row.ok
    assert row.reason == "stopped after 60 s"
    assert math.isnan(row.time_step_s)
    assert math.isnan(row.rmse)


def test_nothing_in_a_row_is_trusted():
    frame = from_rows([BASE | {"time_step_s": "<script>", "options": "[1, 2", "bias_resolved": None, "dim": "64"}])
    assert math.isnan(frame["time_step_s"][0])
    assert frame["options"][0] == {}
    assert frame["bias_resolved"][0] is None
    assert frame["dim"][0] == 64


def test_every_outcome_is_in_the_synthetic_rows(frame):
    assert set(frame["outcome"]) == {
        "ok", "nonfinite", "unsupported", "error", "timeout", "out_of_memory", "crashed", "skipped",
    }  # fmt: skip


def test_the_rows_own_quality_and_withdrawn_predictions_reach_the_frame():
    extra = {"quality": "noisy", "quality_reason": "the device throttled", "no_prediction": "withdrawn: 1 bytes"}
    row = one(extra=extra)
    assert (row.quality, row.quality_reason, row.prediction_withdrawn) == ("noisy", "the device throttled", True)
    bare = one(extra={"no_prediction": "control flow on data"})
    assert (bare.quality, bare.quality_reason, bare.prediction_withdrawn) == (None, None, False)
    for careless in ("text", {"quality": ["<b>"], "no_prediction": 3}, None):
        assert one(extra=careless).quality is None
    assert one().quality is None
