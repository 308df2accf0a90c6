"""The recommendation: its rule by hand, its laws on laws, its refusals by their words."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from click.testing import CliRunner

from bench.recommend import Question, recommend
from bench.recommend.accuracy import sure_bias
from bench.recommend.fits import fits
from bench.recommend.holdout import Prediction, predictions, share, summary
from bench.recommend.measurement import measurements
from bench.recommend.rule import calls_needed
from bench.recommend.scaling import cost_law, error_law, shared_rates
from bench.store import Store
from bench.store.latest import latest
from tests.reports.synthetic_rows import synthetic_rows


def test_calls_average_the_noise_away_and_never_the_bias():
    assert calls_needed(0.0, 0.05, 0.1) == 1
    assert calls_needed(0.0, 0.3, 0.1) == 9
    assert calls_needed(0.06, 0.8, 0.1) == 100
    assert calls_needed(0.1, 0.0, 0.1) == math.inf
    assert calls_needed(math.nan, 0.0, 0.1) == math.inf


def test_unbiased_by_construction_pays_only_for_proven_bias():
    assert sure_bias(0.0, 0.08, "none") == (0.0, 0.0)
    assert sure_bias(0.03, 0.08, "none") == (0.03, 0.03)
    assert sure_bias(0.0, 0.08, "vanishing") == (0.0, 0.08)


def test_a_cost_law_recovers_sums_of_powers_and_extrapolates():
    sizes = [(d, n) for d in (16, 64, 196) for n in (2, 8)]
    cost = lambda d, n: 1e-3 + 2e-4 * n + 3e-6 * d * n + 1e-8 * d**2 * n  # noqa: E731
    law = cost_law([d for d, _ in sizes], [n for _, n in sizes], [cost(d, n) for d, n in sizes])
    for size in ((100, 4), (784, 16)):
        assert law(*size) == pytest.approx(cost(*size), rel=0.02)
    assert law.distance(100, 4) == 0
    assert law.distance(392, 4) == pytest.approx(math.log(2))
    assert law.spread_at(392, 4) > law.spread_at(100, 4)


def test_an_error_law_is_constant_along_an_axis_that_was_not_varied():
    law = error_law([16, 64, 256], [2, 2, 2], [0.1, 0.2, 0.4])
    assert law(1024, 8) == pytest.approx(0.8)
    assert law(256, 8) == pytest.approx(0.4)
    assert error_law([16, 64], [2, 2], [0.0, 0.0]) is None


def test_the_measured_size_answers_for_itself():
    rows = list(synthetic_rows())
    found = recommend(rows, Question("score_matching", 64, 2, error=0.1))
    assert all(a.basis == "measured" for a in found.qualified)
    best = found.qualified[0]
    row = next(r for r in rows if r["estimator"] == best.estimator and (r["dim"], r["depth"]) == (64, 2))
    assert best.step_s == row["time_step_s"]
    assert [a.cost_s for a in found.qualified] == sorted(a.cost_s for a in found.qualified)
    assert best.ratio == 1 and not best.tied


def test_held_out_sizes_are_predicted_within_a_quarter():
    rows = list(synthetic_rows())
    for dim, depth in ((64, 2), (196, 8)):
        kept = [r for r in rows if (r["dim"], r["depth"]) != (dim, depth)]
        found = recommend(kept, Question("score_matching", dim, depth, error=100.0))
        truth = {
            a.label: a.step_s for a in recommend(rows, Question("score_matching", dim, depth, error=100.0)).qualified
        }
        errors = [abs(a.step_s / truth[a.label] - 1) for a in found.qualified]
        assert {a.basis for a in found.qualified} == {"fitted"}
        assert np.median(errors) < 0.1
        assert max(errors) < 0.25


def test_it_says_when_it_extrapolates_and_how_far():
    found = recommend(synthetic_rows(), Question("score_matching", 3136, 8))
    assert next(a for a in found.qualified if a.label == "sm_exact").beyond == pytest.approx(4)
    assert f"extrapolation by a factor of {found.qualified[0].beyond:.2g}" in found.notes[0]
    inside = recommend(synthetic_rows(), Question("score_matching", 100, 4))
    assert "extrapolation" not in inside.notes[0]


def test_refusals_say_why():
    found = recommend(synthetic_rows(), Question("laplacian", 784, 8, error=0.1, memory_bytes=1e7))
    why = {a.label: a.refusal for a in found.refused}
    assert why["hessian_trace"].startswith("out of memory: torch refused")
    assert why["hvp_loop"].startswith("timeout: stopped after 60 s")
    assert why["forward_laplacian"].startswith("unsupported: no Taylor rule")
    assert why["hutchinson (M=16)"].startswith("too heavy: ")
    tight = recommend(synthetic_rows(), Question("score_matching", 64, 2, error=0.01))
    assert next(a.refusal for a in tight.refused if a.estimator == "dsm").startswith("too biased")
    other_order = recommend(synthetic_rows(), Question("directional", 64, 2, order=5))
    assert other_order.refused[0].refusal == "order 5 was not measured; 1, 2, 3, 4 were"


def test_ties_are_ties():
    row = next(r for r in synthetic_rows() if r["estimator"] == "sm_exact")
    other = row | {"estimator": "plugin_same", "time_step_s": row["time_step_s"] * 1.01}
    found = recommend([row, other], Question("score_matching", row["dim"], row["depth"]))
    assert [a.tied for a in found.qualified] == [False, True]


@pytest.mark.parametrize(
    ("values", "message"),
    [({"dim": 0}, "dim has to be at least 1"), ({"error": 0.0}, "error has to be"), ({"memory_bytes": -1}, "memory")],
)
def test_impossible_questions_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Question(**{"quantity": "laplacian", "dim": 4, "depth": 2} | values)


def test_a_quantity_that_was_not_measured_names_those_that_were():
    with pytest.raises(ValueError, match="there are directional, laplacian, score_matching"):
        recommend(synthetic_rows(), Question("log_likelihood", 4, 2))


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "synthetic.sqlite"
    with Store(path) as opened:
        opened.put_many((row, True) for row in synthetic_rows())
    return str(path)


def test_the_verb_answers_in_words_and_in_json(store):
    from bench.verbs.recommend import recommend as verb

    asked = ["--store", store, "--quantity", "score_matching", "--dim", "64", "--depth", "2"]
    words = CliRunner().invoke(verb, asked)
    assert words.exit_code == 0
    assert "sm_exact" in words.output and "×" in words.output
    told = json.loads(CliRunner().invoke(verb, [*asked, "--json"]).output)
    assert told["qualified"][0]["estimator"] == "sm_exact"
    assert told["question"]["dim"] == 64


def test_the_verb_refuses_bad_usage_in_one_line(store):
    from bench.verbs.recommend import recommend as verb

    for asked, message in (
        (["--dim", "64", "--depth", "2"], "give --quantity directional|laplacian|score_matching"),
        (["--dim", "0", "--depth", "2"], "not in the range"),
        (["--dim", "4", "--depth", "2", "--quantity", "laplacian", "--where", "colour=red"], "COLUMN=VALUE"),
    ):
        result = CliRunner().invoke(verb, ["--store", store, *asked])
        assert result.exit_code == 2
        assert message in result.output


def test_leaving_sizes_out_counts_inside_and_outside():
    rows = [
        {"quantity": "laplacian", "estimator": "a", "target": "exact", "dim": d, "depth": 2, "order": 2,
         "outcome": "ok", "time_step_s": 1e-3 + 1e-5 * d, "grad_bias": 0.0, "grad_bias_low": 0.0, "grad_bias_high": 0.0}
        for d in (16, 64, 128, 196)
    ]  # fmt: skip
    found = predictions(rows)
    assert [p.outside for p in found] == [True, False, False, True]
    assert all(p.predicted == pytest.approx(p.measured, rel=0.05) and p.covered for p in found)
    assert "within 25 %" in summary(found)


def test_shares_have_the_interval_of_clopper_and_pearson_and_misses_are_told():
    assert share(8, 10) == pytest.approx((0.4439, 0.9748), abs=1e-4)
    assert share(0, 10) == pytest.approx((0, 1 - 0.025 ** (1 / 10)))
    assert share(10, 10) == pytest.approx((0.025 ** (1 / 10), 1))
    fine = Prediction("a", 2, 64, 2, 1.0, 1.1, False, True, 1.0, 0.01)
    missed = fine._replace(label="b", predicted=2.0, measured=1.0, outside=True, covered=False, reach=4.0, noise=0.3)
    told = summary([fine] * 9 + [missed._replace(outside=False)] + [missed])
    assert "inside the measured range: 9 of 10 sizes within 25 % = 90.0% (95 % interval 55.5% to 99.7%)" in told
    assert "outside it: 0 of 1 sizes" in told
    assert "2.00  b, D 64, depth 2, order 2" in told
    assert "4 times beyond the sizes fitted, its own time is known to ±30% only" in told


def test_rates_of_all_estimators_tell_what_small_sizes_of_one_do_not():
    # steps of launches alone up to D = 64: only the other estimator's rows know the price of an operation's arithmetic
    rates, rng = np.array([1e-10, 1e-5]), np.random.default_rng(0)
    dims, depths = [16, 32, 64], [2, 2, 2]
    work = [[1e3 * d for d in dims], [100.0] * 3]
    times = (rates @ np.array(work)) * np.exp(0.02 * rng.standard_normal(3))
    other = [(1e8, 100.0), (1e9, 100.0), (1e6, 100.0)]
    shared = shared_rates(other, [float(rates @ w) for w in other])
    assert shared == pytest.approx(tuple(rates), rel=1e-3)
    true = float(rates @ [1e3 * 1e6, 100.0])
    alone, told = (cost_law(dims, depths, times, 128, work, known)(1e6, 2) for known in ((), shared))
    assert abs(alone / true - 1) > 1
    assert told == pytest.approx(true, rel=0.15)


@pytest.mark.parametrize("quantity", ["log_likelihood", "score_matching"])
def test_a_likelihoods_log_determinants_are_extrapolated_as_cubes(quantity):
    """A dense flow of two layers at D = 64, 196, 784: 12 B D² + (2/3 + 2) D³ a layer; a score spares the cube."""
    cube = 8 / 3 if quantity == "log_likelihood" else 0.0
    flops = lambda d: 2 * (12 * 100 * d**2 + cube * d**3) + 5000 * d  # noqa: E731
    seconds = lambda d: 1e-10 * flops(d)  # noqa: E731
    row = {"quantity": quantity, "estimator": "mle", "depth": 1, "order": 0, "outcome": "ok", "grad_bias": 0.0}
    rows = []
    for d in (64, 196, 784):
        work = {"flops": flops(d), "moved_bytes": 1e3 * d**2, "operations": 60}
        own = {"dim": d, "time_step_s": seconds(d), "peak_step_bytes": 32.0 * d**2}
        rows.append({**row, **own, "extra": {"step_work": work}})
    (fit,) = fits(measurements(rows))
    assert fit.time(3136, 1) == pytest.approx(seconds(3136), rel=0.1)
    assert fit.memory(3136, 1) == pytest.approx(32.0 * 3136**2, rel=0.02)


def test_a_law_that_saturates_at_the_width():
    cost = lambda d, n: 1e-3 + 5e-4 * n * min(d, 128)  # noqa: E731
    sizes = [(d, n) for d in (16, 64, 196, 784) for n in (2, 8)]
    law = cost_law([d for d, _ in sizes], [n for _, n in sizes], [cost(d, n) for d, n in sizes], width=128)
    for size in ((100, 4), (400, 4), (3000, 8)):
        assert law(*size) == pytest.approx(cost(*size), rel=0.05)
    assert law(2000, 4) == pytest.approx(law(1000, 4), rel=0.05)
    assert law(64, 4) == pytest.approx(2 * law(32, 4), rel=0.1)


def test_a_budget_turns_the_question_round():
    rows = list(synthetic_rows())
    by_error = recommend(rows, Question("score_matching", 196, 2, error=10.0, budget_s=0.1)).qualified
    assert by_error[0].label == "sm_exact"  # one exact step fits
    assert [a.error for a in by_error] == sorted(a.error for a in by_error)
    ssm = next(a for a in by_error if a.label == "ssm (M=1)")
    assert ssm.calls == math.floor(0.1 / ssm.step_s)
    assert ssm.error == pytest.approx(ssm.std / math.sqrt(ssm.calls))
    short = recommend(rows, Question("score_matching", 196, 2, error=10.0, budget_s=0.005))
    why = {a.label: a.refusal for a in short.refused}
    assert why["sm_exact"].startswith("beyond the budget: needs one step of 0.02")


def versions_of_one_row():
    """An ok row, the same problem measured again later by an edited estimator that crashes, and another machine's."""
    row = next(r for r in synthetic_rows() if r["estimator"] == "sm_exact")
    edited = row | {"key": "edited", "estimator_source": "b" * 12, "started_at": "2026-02-01T00:00:00Z"}
    crashed = edited | {"outcome": "crashed", "reason": "signal 11", "time_step_s": None}
    return row, crashed, row | {"key": "elsewhere", "machine": '{"cpu": "Another CPU"}'}


def test_of_several_versions_of_a_row_the_newest_stays_wherever_it_stands():
    old, new, elsewhere = versions_of_one_row()
    assert latest([old, new, elsewhere]) == latest([new, old, elsewhere]) == [new, elsewhere]
    assert latest([new | {"finished": False}, old | {"finished": True}]) == [old | {"finished": True}]
    same_time = old | {"key": "later"}
    assert latest([old, same_time]) == [same_time]
    assert len(latest([old, old | {"seed": 1}, old | {"options": {"chunk": 4}}])) == 3


def test_an_older_row_does_not_hide_a_newer_crash():
    old, new, _ = versions_of_one_row()
    for rows in ([old, new], [new, old]):
        found = recommend(rows, Question("score_matching", old["dim"], old["depth"]))
        assert found.qualified == ()
        assert found.refused[0].refusal == "crashed: signal 11"


def test_the_verb_takes_the_newest_before_it_filters(tmp_path):
    from bench.verbs.recommend import recommend as verb

    path = tmp_path / "versions.sqlite"
    with Store(path) as opened:
        opened.put_many((row, True) for row in versions_of_one_row()[:2])
    asked = ["--store", str(path), "--quantity", "score_matching", "--dim", "16", "--depth", "2"]
    assert "no row measures" in CliRunner().invoke(verb, [*asked, "--where", "outcome=ok"]).output


def test_leaving_sizes_out_takes_the_newest_version():
    rows = [r for r in synthetic_rows() if r["estimator"] == "sm_exact"]
    older = [r | {"started_at": "2025-01-01", "time_step_s": 9 * r["time_step_s"], "key": "o" + r["key"]} for r in rows]
    assert predictions(rows + older) == predictions(rows)


def test_one_falsely_resolved_size_among_twelve_is_no_law_of_bias():
    sizes = [(d, n) for d in (16, 64, 196, 784) for n in (2, 4, 8)]
    dims, depths = zip(*sizes, strict=True)
    by_chance = [0.3 if size == (64, 4) else 0.0 for size in sizes]
    assert error_law(dims, depths, by_chance) is None
    assert error_law(dims, depths, [0.0, 0.0, 0.0, 0.0, *[0.3] * 8])(64, 4) == pytest.approx(0.3)
    row = next(r for r in synthetic_rows() if r["estimator"] == "ssm" and r["outcome"] == "ok")
    rows = [row | {"dim": d, "depth": n, "grad_bias_low": low} for (d, n), low in zip(sizes, by_chance, strict=True)]
    found = recommend(rows, Question("score_matching", 100, 3, error=0.1))
    assert [a.label for a in found.qualified] == ["ssm"]


def test_an_unknown_memory_does_not_qualify_under_a_limit():
    row = next(r for r in synthetic_rows() if r["estimator"] == "sm_exact") | {"peak_step_bytes": None}
    measured = Question("score_matching", row["dim"], row["depth"], memory_bytes=1e12)
    assert [a.refusal for a in recommend([row], measured).refused] == ["memory unknown"]
    assert recommend([row], Question("score_matching", row["dim"], row["depth"])).qualified
    rows = [row | {"dim": d, "time_step_s": d * 1e-4} for d in (16, 64)]
    fitted = Question("score_matching", 32, row["depth"], memory_bytes=1e12)
    assert [a.refusal for a in recommend(rows, fitted).refused] == ["memory unknown"]


def test_the_interval_says_what_it_leaves_out(store):
    from bench.verbs.recommend import recommend as verb

    asked = ["--store", store, "--quantity", "score_matching", "--dim", "64", "--depth", "2"]
    assert "interval from the step time alone" in CliRunner().invoke(verb, asked).output


def test_a_fault_of_the_program_is_no_bad_usage(store, monkeypatch):
    from bench.verbs.recommend import recommend as verb

    def broken(*_):
        raise ValueError("a fault of the program")

    monkeypatch.setattr("bench.recommend.recommend", broken)
    asked = ["--store", store, "--quantity", "score_matching", "--dim", "64", "--depth", "2"]
    assert isinstance(CliRunner().invoke(verb, asked).exception, ValueError)


def test_times_follow_the_work_far_beyond_the_sizes_and_a_free_law_does_not():
    """D passes through a layer of D × width and depth of width²: the D² term is hidden at small sizes."""
    work = {
        "flops": lambda d, n: d * (d * 128 + n * 128**2),
        "moved_bytes": lambda d, n: d * (d + 128 * n),
        "operations": lambda d, n: 40 + 9 * n * d,
    }
    cost = lambda d, n: 2e-9 * work["flops"](d, n) + 5e-7 * work["operations"](d, n)  # noqa: E731
    sizes = [(d, n) for d in (8, 16, 32, 64) for n in (2, 8)]
    dims, depths = zip(*sizes, strict=True)
    kinds = [[of(*size) for size in sizes] for of in work.values()]
    errors = {"work": [], "size": []}
    for seed in range(20):
        noise = np.random.default_rng(seed).lognormal(0, 0.03, len(sizes))
        times = [cost(*size) * factor for size, factor in zip(sizes, noise, strict=True)]
        for name, law in (("work", cost_law(dims, depths, times, 128, kinds)), ("size", cost_law(dims, depths, times))):
            errors[name] += [abs(math.log(law(*size) / cost(*size))) for size in ((512, 2), (512, 32))]
    assert max(errors["work"]) < 0.25  # by a factor of eight, from times that are off by 3 %
    assert np.median(errors["work"]) < 0.3 * np.median(errors["size"])


def test_the_spread_grows_outside_as_predictions_of_left_out_ends_were_off():
    dims, depths = [8, 16, 32, 64], [2, 2, 2, 2]
    law = cost_law(dims, depths, [1.0, 2.0, 4.0, 20.0])
    assert law.spread_outside > 0.3
    assert law.spread_at(128, 2) == pytest.approx(law.spread + law.spread_outside * math.log(2))
    tame = cost_law(dims, depths, [1.0, 2.0, 4.0, 8.0])
    assert (tame.spread, tame.spread_outside) == (0.05, 0.05)


def test_rows_of_another_machine_are_in_no_answer_beside_those_of_the_first():
    rows = list(synthetic_rows())
    times = [name for name in rows[0] if name.startswith("time_") and isinstance(rows[0][name], float)]
    faster = [
        {
            **row,
            "key": f"other {row['key']}",
            "machine": '{"cpu": "another"}',
            **{n: row[n] / 100 for n in times if row[n]},
        }
        for row in rows
        if row["estimator"] != "ssm"
    ]
    question = Question("score_matching", 64, 2, error=0.1)
    alone, beside = recommend(rows, question), recommend([*rows, *faster], question)
    assert [(a.label, a.step_s) for a in beside.qualified] == [(a.label, a.step_s) for a in alone.qualified]
