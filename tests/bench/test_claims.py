"""The ledger of claims: the rule and its words, what rules read from rows, every claim's points, and the verb."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import f as fisher

import estimators
from bench.__main__ import main
from bench.claims import (
    WORDS,
    Claim,
    Figure,
    Finding,
    NotMeasured,
    Rows,
    chosen,
    claims,
    entries_of_rows,
    ledger,
    points_of,
)
from bench.claims.claim import untestable, verdict
from bench.claims.ledger import SUBJECTS
from bench.claims.points import point
from bench.diff.medians import ratio_interval as ratio_of_medians
from bench.point import Point
from bench.sweep import vocabulary

MEASURED = [claim for claim in claims().values() if claim.points()]


def figure(number: float, half: float = 0.0) -> Figure:
    return Figure(number, number - half, number + half, "times")


@pytest.mark.parametrize(
    ("figures", "word"),
    [
        ([2.0, 3.0], "reproduced"),
        ([2.0, 0.5], "reproduced in part"),
        ([0.5, 0.9], "not reproduced"),
        ([2.0, 1.02], "undecided"),
        ([0.5, 1.02], "undecided"),
        ([2.0, 0.5, 1.02], "reproduced in part"),
        ([1.02], "undecided"),
    ],
)
def test_the_rule_gives_each_of_its_words(figures, word):
    found = verdict("said", *(Finding("f", figure(number, 0.05), at_least=1.0) for number in figures))
    assert found.word == word
    assert (found.number, found.low, found.high) == (figures[0], figures[0] - 0.05, figures[0] + 0.05)


def test_a_finding_holds_where_its_whole_interval_does():
    inside = figure(1.0, 0.1)
    assert [Finding("f", inside, at_least=limit).holds for limit in (0.9, 1.0, 1.11)] == [True, None, False]
    assert [Finding("f", inside, at_most=limit).holds for limit in (1.1, 1.0, 0.89)] == [True, None, False]
    assert Finding("f", inside, at_most=1.1).asked == "at most 1.1 times"
    with pytest.raises(ValueError, match="exactly one"):
        Finding("f", inside)
    with pytest.raises(ValueError, match="finite"):
        Figure(1.0, 2.0, 1.0, "times")
    with pytest.raises(ValueError, match="finite"):
        Figure(math.nan, math.nan, math.nan, "times")


def test_what_cannot_be_tested_has_a_number_and_no_other_word():
    for number in (2.0, 0.5, 1.0):
        found = untestable("needs a GPU", Finding("stand-in", figure(number, 0.05), at_least=1.0))
        assert (found.word, found.number, found.low) == ("cannot be tested here", number, number - 0.05)


def test_figures_are_told_with_their_intervals_and_limits():
    assert str(Figure(1.583, 1.55, 1.61, "times")) == "1.58\u00a0times (1.55 to 1.61)"
    assert str(Figure(3.0, 3.0, 3.0, "times")) == "3\u00a0times"
    assert str(Figure(1.99943, 1.99691, 2.00194, "")) == "1.999 (1.997 to 2.002)"
    assert str(Figure(1.00001, 1.0, 1.00002, "")) == "1.00001 (1 to 1.00002)"
    assert str(Figure(0.4, 0.0, 0.9, "%")) == "below 0.9\u00a0%"


A, B = point("ssm"), point("fd_ssm", eps=0.1)


def row(at: Point, **columns) -> dict:
    """A row with the numbers that rules read, all alike."""
    plain = {
        "outcome": "ok", "reason": "", "round_group": "w", "time_step_s": 1e-3, "time_samples": [1e-3] * 15,
        "grad_bias": 0.01, "grad_bias_low": 0.008, "grad_bias_high": 0.012, "grad_std": 1.0, "value_std": 1.0,
        "value_bias": 0.01, "draws": at.draws, "flops_step": 1000, "peak_step_bytes": 1000, "duration_s": 1.5,
        "grad_rmse": 1.0, "minibatch_std": 0.5, "extra": {"anchor_samples": [1e-3] * 15},
    }  # fmt: skip
    return {**at.identity(), "machine": "here", **plain, **columns}


def rows(*given: tuple[Point, dict]) -> Rows:
    return Rows({at.to_json(): row(at, **columns) for at, columns in given})


def test_times_are_compared_round_by_round_or_through_the_anchor():
    drift = np.linspace(1, 3, 15)
    together = rows((A, {"time_samples": list(2 * drift)}), (B, {"time_samples": list(drift)}))
    assert str(together.time_ratio(A, B)) == "2\u00a0times"
    there = {"round_group": "v", "time_samples": list(8 * drift), "extra": {"anchor_samples": list(2 * drift)}}
    apart = rows((A, there), (B, {"time_samples": [2.0] * 15, "extra": {"anchor_samples": [1.0] * 15}}))
    assert apart.time_ratio(A, B).number == pytest.approx(2.0)
    noisy = rows((A, there | {"time_samples": list(8 * drift * (1 + 0.1 * np.sin(np.arange(15))))}), (B, {}))
    spread = noisy.time_ratio(A, B)
    assert spread.low < spread.number < spread.high
    above, below = 8 * (1 + 0.1 * np.sin(np.arange(15))) / 2, np.ones(15)  # over their anchors
    assert (spread.low, spread.high) == pytest.approx(ratio_of_medians(below, above, 0.025))
    with pytest.raises(NotMeasured, match="no rounds to compare"):
        rows((A, there | {"extra": {}}), (B, {})).time_ratio(A, B)


def test_numbers_are_read_in_their_units_with_intervals():
    held = rows((A, {"grad_std": 2.0, "flops_step": 300}), (B, {"flops_step": 100}))
    assert str(held.ratio(A, B, "flops_step")) == "3\u00a0times"
    assert held.bias(A) == Figure(1.0, 0.8, 1.2, "%")
    noise = held.noise_ratio(A, B)
    assert (noise.number, noise.low * noise.high) == (2.0, pytest.approx(4.0)) and 1.5 < noise.low < 1.6
    chosen_from_six = held.noise_ratio(A, B, among=6)
    assert chosen_from_six.low == pytest.approx(2 / math.sqrt(fisher.ppf(1 - 0.05 / 12, 63, 63)))
    assert chosen_from_six.number == 2.0 and chosen_from_six.low < noise.low and chosen_from_six.high > noise.high
    one = held.noise(A)
    assert one.number == 200.0 and one.low < 200.0 < one.high
    assert one.low == pytest.approx(200 * math.sqrt(63 / 86.8296), rel=1e-4)  # 97.5 % of χ² with 63 degrees
    slow = rows((A, {"grad_std": 2.0, "time_samples": [3.0] * 15}), (B, {"time_samples": [1.0] * 15}))
    work = slow.work_ratio(A, B)
    assert work.number == pytest.approx(12.0)  # three times the time, four times the variance
    assert work.low == pytest.approx(12 * (63 / 86.8296) / (63 / 42.9503), rel=1e-4)  # both ends of χ², 63 degrees
    assert work.low * work.high == pytest.approx(144.0)
    assert slow.work_ratio(A, B, minibatch=True).number == pytest.approx(3 * (4 + 0.25) / (1 + 0.25))
    sizes = [point("mle", model="glow_fc", dim=dim) for dim in (64, 196, 784)]
    grown = rows(*((at, {"flops_step": at.problem.dim**3}) for at in sizes))
    assert grown.exponent(sizes, [64, 196, 784], "flops_step").number == pytest.approx(3.0)


def test_what_is_missing_is_named():
    with pytest.raises(NotMeasured, match="no row of fd_ssm"):
        rows((A, {}))[B]
    with pytest.raises(NotMeasured, match="ended as timeout: 60 s"):
        rows((A, {"outcome": "timeout", "reason": "60 s"}))[A]
    with pytest.raises(NotMeasured, match="has no grad_bias"):
        rows((A, {"grad_bias": None})).bias(A)
    with pytest.raises(NotMeasured, match="has no grad_bias"):
        rows((A, {"grad_bias": math.nan})).bias(A)


@pytest.mark.parametrize("claim", claims().values(), ids=lambda claim: claim.name)
def test_every_claim_has_its_facts(claim: Claim):
    for text in (claim.says, claim.place, claim.figure, claim.measures, claim.rule):
        assert text and "\n" not in text
    assert claim.says.endswith(".") and claim.measures.endswith(".") and claim.rule.endswith(".")
    assert claim.subject in SUBJECTS
    assert claim.points() or claim.runs()  # what cannot be tested has a number too, of what stands in for it


@pytest.mark.parametrize("claim", MEASURED, ids=lambda claim: claim.name)
def test_every_point_can_be_measured(claim: Claim):
    lines = [at.to_json() for at in claim.points()]
    assert len(set(lines)) == len(lines)
    for at in claim.points():
        estimator = estimators.get(at.estimator)
        assert vocabulary.objection(at.problem) is None
        assert vocabulary.misfit(at.problem, at.quantity, estimator.needs) == ""
        assert estimator.supports(at.order) and (at.draws % 16 == 0) == estimator.stochastic


@pytest.mark.parametrize("claim", MEASURED, ids=lambda claim: claim.name)
def test_every_rule_reads_its_points_and_says_numbers(claim: Claim):
    """Rows alike but for sizes: a word, a headline within its interval, a sentence with its figures filled in."""
    entry = entries_of_rows([claim], [row(at, flops_step=at.problem.dim**2 * (at.order + 1)) for at in claim.points()])[
        0
    ]
    assert entry.verdict.word in WORDS and entry.verdict.word != "not measured yet", entry.verdict.sentence
    assert all(f.figure.low <= f.figure.number <= f.figure.high for f in entry.verdict.findings)
    assert str(entry.verdict.findings[0].figure) in entry.verdict.sentence
    assert not {"{", "}", "None", "nan"} & set(entry.verdict.sentence.replace(",", " ").split())
    assert entry.seconds == pytest.approx(1.5 * len(claim.points()))
    json.dumps(entry.as_dict(), allow_nan=False)
    for missing in claim.points():
        others = [row(at) for at in claim.points() if at.to_json() != missing.to_json()]
        left_out = entries_of_rows([claim], others)[0].verdict
        assert left_out.word == "not measured yet" and missing.estimator in left_out.sentence


def test_rows_of_several_machines_are_never_mixed():
    claim = chosen(["published_eps"])[0]
    first, *others = claim.points()
    here = [row(at) for at in others]
    there = [row(at, machine="there", grad_bias=0.3, grad_bias_low=0.3, grad_bias_high=0.3) for at in claim.points()]
    assert entries_of_rows([claim], [*here, row(first), *there[:2]])[0].verdict.number == pytest.approx(1.0)
    assert entries_of_rows([claim], [*here, *there])[0].verdict.number == pytest.approx(30.0)
    fingerprint = {"cpu": "A chip", "cores_logical": 2, "gpus": [], "cores_usable": 1}
    pinned, free, more = (json.dumps(fingerprint | other) for other in ({}, {"cores_usable": 2}, {"cores_logical": 4}))
    newer = row(first, machine=free, started_at="2026-01-02", grad_bias=0.02)
    older = row(first, machine=pinned, started_at="2026-01-01", grad_bias=0.5)
    rest = [row(at, machine=pinned) for at in others]
    verdicts = [entries_of_rows([claim], given)[0].verdict for given in ([older, newer, *rest], [newer, *rest, older])]
    assert verdicts[0] == verdicts[1] == entries_of_rows([claim], [newer, *rest])[0].verdict
    assert verdicts[0].sentence != entries_of_rows([claim], [older, *rest])[0].verdict.sentence
    elsewhere = [*rest, row(first, machine=more)]
    assert entries_of_rows([claim], elsewhere)[0].verdict.word == "not measured yet"  # four cores are another machine
    as_frames_hold_them = [{**r, "dim": float(r["dim"]), "order": float(r["order"])} for r in there]
    assert entries_of_rows([claim], as_frames_hold_them)[0].verdict.number == pytest.approx(30.0)


def test_points_that_claims_share_are_measured_once():
    """Nor with other draws: a report holds one row of what is alike but for them."""
    assert len({ledger._identity(at.identity()) for at in points_of(MEASURED)}) == len(points_of(MEASURED))
    lines = [at.to_json() for at in points_of(MEASURED)]
    assert len(set(lines)) == len(lines) == len({at.to_json() for claim in MEASURED for at in claim.points()})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["published_esp"], "no claim called 'published_esp'; did you mean published_eps"),
        (["zzz"], "no claim called 'zzz'; `claims --list` names them all"),
        (["--store", "."], "directory"),
        (["--jobs", "0"], "--jobs"),
    ],
)
def test_bad_input_is_one_line(arguments, message, capsys):
    assert main(["claims", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1 and message in err


def test_the_list_measures_nothing(capsys):
    assert main(["claims", "--list", "--json"]) == 0
    assert [fact["name"] for fact in json.loads(capsys.readouterr().out)] == list(claims())


def test_the_verb_measures_what_is_missing_and_prints_the_ledger(monkeypatch, tmp_path, capsys):
    def at(estimator: str) -> Point:
        return point(estimator, dim=2, depth=1, width=4, batch=4, data="gaussian")

    def judge(rows: Rows):
        bias = rows.bias(at("taylor"))
        return verdict(f"off by {bias}", Finding("bias", bias, at_most=1.0))

    plain = chosen(["any_order"])[0]
    small = replace(plain, name="small", points=lambda: [at("taylor"), at("nested_reverse")], judge=judge)
    monkeypatch.setattr(ledger, "claims", lambda: {"small": small})
    arguments = ["claims", "--store", str(tmp_path / "s.sqlite")]
    assert main([*arguments, "small"]) == 0
    out, err = capsys.readouterr()
    assert "2 points to measure" in err and "small: reproduced" in out and "asked: at most 1 %: holds" in out
    assert main([*arguments, "--json"]) == 0
    out, err = capsys.readouterr()
    assert "0 points to measure, 2 are in" in err
    told = json.loads(out)[0]
    assert told["word"] == "reproduced" and told["number"] < 1e-3 and told["duration_s"] > 0
    other = replace(small, points=lambda: [at("finite_difference")], judge=lambda rows: rows[at("finite_difference")])
    monkeypatch.setattr(ledger, "claims", lambda: {"small": small, "other": other})
    assert main([*arguments, "--json", "--stored"]) == 0
    out, err = capsys.readouterr()
    assert err == "" and [line["word"] for line in json.loads(out)] == ["reproduced", "not measured yet"]
    assert main(["claims", "--stored", "--store", str(tmp_path / "none.sqlite")]) == 2
    assert "none.sqlite" in capsys.readouterr().err and not (tmp_path / "none.sqlite").exists()
    monkeypatch.setattr(ledger, "claims", lambda: {"small": small})
    monkeypatch.setenv("COLUMNS", "80")
    assert main(arguments) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
