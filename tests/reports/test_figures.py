"""Figure data by value, and both renderers of every figure."""

from __future__ import annotations

import io
import json
import math

import numpy as np
import pytest

import estimators
from reports.figures import (
    bias_forest,
    budget,
    convergence,
    heat_map,
    memory,
    outcomes,
    residuals,
    scaling,
    screen,
    step_size,
    work_precision,
)
from reports.figures.catalogue import FIGURES
from reports.frames.pareto import front_shares, on_front
from reports.frames.points import points
from reports.frames.rows import from_rows
from reports.frames.slice import fullest, keep
from reports.palette import COLOURS, SHAPES, marks

ROW = {
    "quantity": "laplacian", "estimator": "hutchinson", "target": "exact", "dim": 4, "depth": 2, "order": 2,
    "outcome": "ok", "dtype": "float32", "time_step_s": 0.01, "time_step_low_s": 0.009, "time_step_high_s": 0.012,
    "peak_step_bytes": 1000,
    "grad_bias": 0.02, "grad_bias_low": 0.0, "grad_bias_high": 0.05, "bias_resolved": False, "grad_std": 0.3,
    "grad_rmse": 0.3, "minibatch_std": 0.4, "draws": 64,
}  # fmt: skip


def frame_of(*rows):
    return points(from_rows([ROW | row for row in rows]))


def test_an_unresolved_bias_stands_open_at_its_detection_limit_with_a_bar_to_zero():
    shown = work_precision.data(frame_of({}), error="grad_bias").iloc[0]
    assert shown.open
    assert (shown.y, shown.y_low, shown.y_high) == (0.05, 0.0, 0.05)
    assert (shown.x_low, shown.x, shown.x_high) == (0.009, 0.01, 0.012)


EXACT = {"grad_bias": 0.0, "grad_bias_low": 0.0, "grad_bias_high": 0.0, "grad_std": 0.0, "grad_rmse": 0.0}


def test_an_error_of_exactly_zero_is_drawn_at_rounding():
    assert work_precision.data(frame_of(EXACT | {"bias_resolved": True})).iloc[0].y == pytest.approx(2.0**-23)


def test_what_did_not_finish_stays_in_the_figure():
    shown = work_precision.data(frame_of({}, {"outcome": "crashed", "time_step_s": None, "grad_rmse": None}))
    assert list(shown["failed"]) == [False, True]


def test_the_budget_curve_follows_its_formula():
    curve = budget.data(frame_of({"estimator": "plugin_x"}))
    for t, error in zip(curve["x"], curve["y"], strict=True):
        assert error == pytest.approx(math.sqrt(0.05**2 + (0.4**2 + 0.3**2) * 0.01 / t))
    fixed = budget.data(frame_of({"estimator": "plugin_x"}), fixed_batch=True)
    assert fixed["y"].iloc[0] == pytest.approx(math.hypot(0.05, 0.3))


def test_scaling_takes_the_median_of_points_that_fall_together():
    rows = [{"dim": 8, "seed": s, "time_step_s": t} for s, t in enumerate((0.01, 0.05, 0.02))] + [{"dim": 16}]
    shown = scaling.data(frame_of(*rows), "dim").set_index("x")
    assert shown["y"][8] == 0.02
    assert shown["y"][16] == 0.01


def test_the_heat_map_divides_by_the_best_of_the_size():
    shown = heat_map.data(
        frame_of(
            {},
            {"estimator": "hvp_loop", "time_step_s": 0.04},
            {"estimator": "dead", "outcome": "error", "time_step_s": None},
        )
    )
    ratio = shown.set_index("estimator")["ratio"]
    assert (ratio["hutchinson"], ratio["hvp_loop"]) == (1.0, pytest.approx(4.0))
    assert np.isnan(ratio["dead"])


def test_memory_falls_back_to_the_prediction_and_says_so():
    shown = memory.data(
        frame_of({"predicted_peak_bytes": 900}, {"dim": 9, "peak_step_bytes": None, "predicted_peak_bytes": 5000})
    ).set_index("x")
    assert (shown["y"][4], shown["open"][4]) == (1000, False)
    assert (shown["y"][9], shown["open"][9]) == (5000, True)


def test_the_forest_puts_the_largest_bias_first():
    shown = bias_forest.data(
        frame_of(
            {},
            {
                "estimator": "fd_ssm",
                "grad_bias": 0.5,
                "grad_bias_low": 0.4,
                "grad_bias_high": 0.6,
                "bias_resolved": True,
            },
        )
    )
    assert list(shown["estimator"]) == ["fd_ssm", "hutchinson"]
    assert list(shown["resolved"]) == [True, False]


def test_residuals_are_the_measured_time_over_the_fitted_one():
    times = {4: 0.01, 8: 0.02, 16: 0.04, 32: 0.12}
    rows = [{"dim": d, "time_step_s": t, "time_step_low_s": t / 2, "time_step_high_s": t} for d, t in times.items()]
    shown = residuals.data(frame_of(*rows, {"estimator": "hvp_loop"})).set_index("x")
    assert set(shown["label"]) == {"hutchinson"}  # one size has no law
    assert shown["y_low"][32] == pytest.approx(shown["y"][32] / 2)
    ratio = {d: t / shown["y"][d] for d, t in times.items()}  # the law's own values
    assert shown["y"][32] > 1 > shown["y"][16]
    assert ratio[32] > ratio[16] > ratio[8]


def test_convergence_takes_the_rows_own_errors_and_trusts_none():
    pairs = [[2, 0.4], [8, 0.2]]
    rows = [{"extra": {"grad_convergence": told}} for told in (pairs, "text", [[1]], [[1, float("nan")]])]
    shown = convergence.data(frame_of(*rows))
    assert shown[["x", "y"]].to_numpy().tolist() == pairs


def test_the_front_and_its_shares():
    x, y = np.array([1.0, 2.0, 3.0, 3.0]), np.array([4.0, 4.0, 1.0, 2.0])
    assert on_front(x, y).tolist() == [True, False, True, False]
    surely = np.stack([x, x]), np.stack([y, y])
    assert front_shares(x, surely[0], y, surely[1]).tolist() == [1, 0, 1, 0]
    alike = np.array([1.0, 1.0]), np.array([[0.9, 0.9], [1.1, 1.1]])
    shares = front_shares(alike[0], alike[1], np.array([1.0, 2.0]), np.array([[1.0, 2.0], [1.0, 2.0]]))
    assert shares[0] == 1
    assert 0.35 < shares[1] < 0.65  # cheaper in half of the draws; 500 of them: false failure below 1e-9


def test_outcomes_count_every_point(frame):
    assert outcomes.data(frame)["count"].sum() == len(frame)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_prints_and_compiles(name, frame):
    for part in (frame[frame["quantity"] == "score_matching"], frame[frame["outcome"] != "ok"], frame.head(1)):
        for kind in ("svg", "pdf"):
            target = io.BytesIO()
            FIGURES[name].on_paper(part, marks(part["estimator"])).savefig(target, format=kind)
            assert len(target.getvalue()) > 1000
    specification = json.dumps(screen.vega(FIGURES[name].on_screen()))
    assert '"@' not in specification  # every placeholder became a signal


def test_an_axis_within_a_decade_has_ticks_that_can_be_read():
    printed = convergence.on_paper(
        frame_of({"extra": {"grad_convergence": [[2, 0.4], [8, 0.15]]}}), marks(["hutchinson"])
    )
    printed.draw_without_rendering()
    for axis in (printed.axes[0].xaxis, printed.axes[0].yaxis):
        low, high = sorted(axis.get_view_interval())
        shown = [t.get_text() for t in axis.get_ticklabels() if t.get_text() and low <= float(t.get_text()) <= high]
        assert len(shown) >= 2


@pytest.mark.parametrize("cost", ["peak_step_bytes", "flops_step"])
def test_print_draws_the_cost_asked_for(cost, frame):
    part = frame[frame["quantity"] == "score_matching"]
    for figure in (work_precision, scaling, heat_map):
        figure.on_paper(part, marks(part["estimator"]), cost=cost)
    shown = work_precision.data(part, cost=cost)
    assert set(shown["x"].dropna()) == set(part.loc[part["ok"], cost])
    shares = shown.loc[~shown["failed"], "front_share"]
    assert shares.between(0, 1).all() and shares.max() == 1


def test_print_takes_names_as_text(frame):
    part = frame.head(3).assign(estimator=["$\\frac{", "a_b^c", "<svg>&"], label="x", series="x")
    target = io.StringIO()
    work_precision.on_paper(part, marks(part["estimator"])).savefig(target, format="svg")
    assert "<svg>&" not in target.getvalue().split("\n", 4)[-1]


def test_a_slice_says_what_is_wrong(frame):
    assert set(keep(frame, ["dim=16,64"])["dim"]) == {16, 64}
    with pytest.raises(ValueError, match="close: dim"):
        keep(frame, ["dimm=16"])
    with pytest.raises(ValueError, match="no row is left"):
        keep(frame, ["dim=17"])
    with pytest.raises(ValueError, match="dim holds numbers"):
        keep(frame, ["dim=many"])


def test_marks_differ_and_do_not_depend_on_the_others():
    many = [f"plugin_{i}" for i in range(24)] + ["ssm", "hutchinson", "taylor", "sm_exact"]
    assert len({(m.colour, m.shape) for m in marks(many).values()}) == len(many)
    assert marks(["ssm"])["ssm"] == marks(many)["ssm"]


def test_print_takes_the_fullest_size_and_names_it():
    rows = [{"dim": 8}, {"dim": 8, "estimator": "hvp_loop"}, {"dim": 64}]
    chosen, title = fullest(frame_of(*rows))
    assert set(chosen["dim"]) == {8}
    assert "D = 8, depth 2, order 2" in title


OTHERS = {
    "width": 64, "activation": "tanh", "residual": True, "threads": 8, "seed": 7, "data": "other", "machine": "{}",
}  # fmt: skip


@pytest.mark.parametrize("column", OTHERS)
def test_print_holds_every_part_of_the_problem_and_names_what_differs(column):
    shared = {"width": 128, "activation": "softplus", "residual": False, "threads": 1, "seed": 0, "data": "digits"}
    here = [shared, shared | {"estimator": "hvp_loop"}]
    chosen, title = fullest(frame_of(*here, shared | {column: OTHERS[column]}))
    assert len(chosen) == 2
    assert "unknown" in title if column == "machine" else f"{column} {shared[column]}" in title
    assert column not in fullest(frame_of(*here))[1]


@pytest.mark.parametrize(
    ("figure", "own"),
    [(memory, "dim"), (scaling, "dim"), (scaling, "depth"), (scaling, "order"), (step_size, None), (heat_map, "dim")],
)
def test_print_varies_its_own_axis_alone(figure, own, monkeypatch):
    kept = []
    drawn = figure.data
    monkeypatch.setattr(figure, "data", lambda points, *rest: kept.append(points) or drawn(points, *rest))
    rows = [{own: size} for size in (4, 8, 16)] if own else [{}]
    steps = [row | {"options": {"eps": eps}} for row in rows for eps in (0.1, 1.0)]
    frame = frame_of(*({"width": 128} | row for row in steps), steps[0] | {"width": 64})
    printed = figure.on_paper(frame, marks(frame["estimator"]))
    assert len(kept[0]) == len(steps)
    assert set(kept[0]["width"]) == {128}
    assert "width 128" in printed.axes[0].get_title().replace("\n", " ")


def test_a_built_in_estimator_looks_the_same_whoever_is_shown_with_it():
    together = marks(estimators.names())
    assert len(set(together.values())) == len(together)
    assert {name: marks([name])[name] for name in together} == together
    assert all(m.colour in COLOURS and m.shape in SHAPES and m.path.startswith("M") for m in together.values())
