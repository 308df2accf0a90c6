"""Claims on training runs: what rules read from them, and each rule where the paper is right, wrong and in between."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.stats import t as student

import estimators
from bench.claims import NotMeasured, Run, Runs, claims, entries_of_rows, runs_of
from bench.claims.figures import apart, typical
from bench.claims.trainings import SEEDS, trainings
from bench.sweep import vocabulary
from bench.train.training import Training
from tests.bench.test_claims import figure, row

TRAINED = [claim for claim in claims().values() if claim.runs()]


def ran(training: Training, end: float = -10.0, **columns) -> Run:
    """A run whose objective comes down evenly from 10; other columns are those of its row, or of every evaluation."""
    of_row = {
        name: columns.pop(name) for name in ("outcome", "reason", "peak_step_bytes", "machine") if name in columns
    }
    plain = {"outcome": "ok", "reason": "", "machine": "here", "peak_step_bytes": 1000, "parameters": 10}
    objective = columns.pop("objective", np.linspace(10.0, end, training.marks + 1))
    also = {"nll": 1.0, "score_l2": 1.0, "score_q99": 1.0} | columns
    points = tuple({"place": place, "objective": float(value), **also} for place, value in enumerate(objective))
    return Run({**training.identity(), "duration_s": 2.0, **plain, **of_row}, points)


def runs(*given: tuple[list[Training], list[Run]]) -> Runs:
    return Runs({t.to_json(): run for ts, made in given for t, run in zip(ts, made, strict=True)})


A, B = (trainings(name, budget_steps=8, marks=4, dim=4, width=8, batch=8) for name in ("ssm", "ssm_vr"))


def test_gaps_are_shares_of_the_way_paired_by_seed():
    ends = np.arange(1.0, 1 + len(SEEDS))
    made = runs(
        (A, [ran(t, end + 1) for t, end in zip(A, ends, strict=True)]),
        (B, [ran(t, end) for t, end in zip(B, ends, strict=True)]),
    )
    shares = 100 / (10 - ends)  # each seed's own way down
    gap = made.gap(A, B)
    assert gap.number == pytest.approx(shares.mean())
    assert gap.high - gap.number == pytest.approx(2.364624 * shares.std(ddof=1) / 8**0.5, rel=1e-6)
    assert made.gap(B, A).number < 0
    course = made.course(A, B)  # a line that ends 1 higher is 1/4, 2/4, 3/4 and 1 higher on its way
    assert course.number == pytest.approx(gap.number * 0.625)
    assert made.seconds([*A, *B]) == 32.0


def test_rises_are_what_goes_up_between_evaluations():
    up, down = [10.0, 4.0, 6.0, 3.0, 4.0], [10.0, 8.0, 6.0, 4.0, 2.0]
    made = runs((A, [ran(t, objective=up) for t in A]), (B, [ran(t, objective=down) for t in B]))
    assert made.rises(A, B).number == pytest.approx(100 * 3 / 7)
    assert made.rises(B, A).number == pytest.approx(-100 * 3 / 7)


def test_the_lowest_on_the_way_counts_where_runs_may_stop():
    a, b = [10.0, 1.0, 6.0, 8.0, 9.0], [10.0, 5.0, 0.0, 1.0, 2.0]
    made = runs((A, [ran(t, objective=a) for t in A]), (B, [ran(t, objective=b) for t in B]))
    assert made.lowest(A) == 1.0
    assert made.lowest_gap(A, B).number == pytest.approx(10.0)
    assert made.gap(A, B).number == pytest.approx(100 * 7 / 8)


def test_a_pair_chosen_among_several_has_the_interval_of_them_all():
    scattered = [[10.0, 9.0, 8.0, 7.0, float(seed)] for seed in SEEDS]
    made = runs((A, [ran(t, objective=o) for t, o in zip(A, scattered, strict=True)]), (B, [ran(t, 0.0) for t in B]))
    one, chosen = made.lowest_gap(A, B), made.lowest_gap(A, B, among=6)
    assert one.number == chosen.number
    wider = (chosen.high - chosen.number) / (one.high - one.number)
    assert wider == pytest.approx(
        student.ppf(1 - 0.05 / 12, len(SEEDS) - 1) / student.ppf(1 - 0.05 / 2, len(SEEDS) - 1)
    )


def test_ratios_and_typical_sizes():
    made = runs((A, [ran(t, peak_step_bytes=2000) for t in A]), (B, [ran(t) for t in B]))
    assert str(made.ratio(A, B, "peak_step_bytes")) == "2\u00a0times"
    assert typical([1.0, 100.0], "x").number == pytest.approx(10.0)
    assert typical(np.array([2.0, 2.0]), "x").high == 2.0
    assert apart(figure(-3.0, 1.0)) == figure(3.0, 1.0)
    inside = apart(figure(-1.0, 2.0))
    assert (inside.number, inside.low, inside.high) == (1.0, 0.0, 3.0)


def test_what_a_run_lacks_is_named():
    with pytest.raises(NotMeasured, match="no training run of ssm"):
        runs().gap(A, B)
    with pytest.raises(NotMeasured, match="ended as timeout: late"):
        runs((A, [ran(t, outcome="timeout", reason="late") for t in A])).ended_well(A[0])
    broken = runs((A, [ran(t, outcome="nonfinite", reason="nan") for t in A]), (B, [ran(t, 20.0) for t in B]))
    assert not broken.ended_well(A[0]) and broken.ended_well(B[0])
    with pytest.raises(NotMeasured, match="ended as nonfinite"):
        broken.curve(A[0])
    with pytest.raises(NotMeasured, match="has no nll at every evaluation"):
        runs((A, [ran(t, nll=None) for t in A])).curve(A[0], "nll")
    with pytest.raises(NotMeasured, match="has not come down"):
        broken.gap(B, B)
    assert not runs((A, [ran(t, reason="diverged: it rose") for t in A])).ended_well(A[0])
    short = Run(ran(A[0]).row, ran(A[0]).evaluations[:-1])
    with pytest.raises(NotMeasured, match="at every evaluation"):
        Runs({A[0].to_json(): short}).curve(A[0])


def test_every_run_can_be_made_and_is_made_once():
    made = runs_of(TRAINED)
    assert len({t.to_json() for t in made}) == len(made) == len({t.to_json() for c in TRAINED for t in c.runs()})
    assert [t.point.problem.seed for t in made] == sorted(t.point.problem.seed for t in made)
    for training in made:
        at, estimator = training.point, estimators.get(training.point.estimator)
        assert vocabulary.objection(at.problem) is None
        assert vocabulary.misfit(at.problem, at.quantity, estimator.needs) == ""
        assert at.problem.batch <= training.rows and training.marks <= training.steps


def whole(claim, world, **columns):
    """The verdict on a claim in a world: training → what `ran` is to be told."""
    made = [ran(t, **(world(t) | columns)) for t in claim.runs()]
    return entries_of_rows([claim], [row(at) for at in claim.points()], made)[0]


def ends(end: dict[str, float], otherwise: float = -10.0):
    """Where runs end, by the estimator's name."""
    return lambda t: {"end": end.get(t.point.estimator, otherwise)}


def denoising(level: dict[float, float], otherwise: float = -10.0):
    return lambda t: {"end": level.get(t.point.options.get("sigma"), otherwise)}


def phantom(frobenius: float, spectral: float):
    """Two phantom steps end here, all else at −10."""
    two = {"deq_frobenius": frobenius, "deq": spectral}
    return lambda t: {"end": two[t.point.problem.model] if t.point.options.get("steps") == 2 else -10.0}


def equilibrium(shallow: float, peak: int):
    return lambda t: {
        "end": shallow if t.point.problem.model == "mlp" else -10.0,
        "peak_step_bytes": 1000 if t.point.problem.model == "mlp" else peak,
    }


def sawtooth(rising: tuple[str, ...], rate: float | None = None):
    """These rise at every other evaluation, at one rate or at all."""

    def columns(t: Training) -> dict:
        line = np.linspace(10.0, -10.0, t.marks + 1)
        rises = t.point.estimator in rising and rate in (None, t.optimiser_options["lr"])
        return {"objective": line + (3.0 * (np.arange(t.marks + 1) % 2) if rises else 0.0)}

    return columns


def likelihood(before: float, after: float):
    """−log p of sliced score matching in pixels and in logits, where likelihood has 1."""
    pixels = {"digits_pixels": before, "digits": after}
    return lambda t: {"nll": pixels[t.point.problem.data] if t.point.estimator == "ssm" else 1.0}


def differences(end: float, dims: tuple[int, ...] = (16, 196)):
    hit = lambda t: t.point.estimator == "fd_ssm" and t.point.problem.dim in dims  # noqa: E731
    return lambda t: {"end": end if hit(t) else -10.0}


RIGHT, WRONG, BETWEEN = "reproduced", "not reproduced", "reproduced in part"
WORLDS = {
    "unchanged_convergence": (differences(-9.9), differences(-5.0), differences(-5.0, dims=(196,))),
    "sliced_beats_denoising": (
        ends({"sm_forward": -10, "ssm": -9.5, "dsm": -5}),
        ends({"sm_forward": -10, "ssm": -5, "dsm": -9}),
        ends({"sm_forward": -10, "ssm": -5, "dsm": 0}),
    ),
    "variance_reduction_trains_better": (ends({"ssm": -5}), ends({"ssm_vr": -5}), None),
    "denoising_sigma_in_training": (denoising({1.0: -5}), denoising({1.0: -9.5}), None),
    "composite_is_stable": (sawtooth(("ssm", "dsm")), sawtooth(("csm",)), sawtooth(("ssm", "dsm"), rate=1e-2)),
    "two_phantom_steps_train": (phantom(-9.9, -9.9), phantom(-15.0, -5.0), phantom(-9.9, -15.0)),
    "deeper_models_train_better": (equilibrium(-5.0, 900), equilibrium(-11.0, 2000), equilibrium(-5.0, 2000)),
    "matching_after_preprocessing": (likelihood(9.0, 2.0), likelihood(2.0, 9.0), None),
    "quantiles_against_mean_square": (
        lambda t: {"score_l2": 20.0, "score_q99": 0.2},
        lambda t: {"score_l2": 2.0, "score_q99": 1.0},
        lambda t: {"score_l2": 1.0, "score_q99": 0.2},
    ),
}
CASES = [
    pytest.param(claim, world, word, id=f"{claim.name}-{word}")
    for claim in TRAINED
    for world, word in zip(WORLDS.get(claim.name, (None,) * 3), (RIGHT, WRONG, BETWEEN), strict=True)
    if world is not None
]


UNTESTABLE = {"image_quality"}


def test_every_rule_has_its_worlds():
    assert set(WORLDS) | UNTESTABLE == {claim.name for claim in TRAINED}


@pytest.mark.parametrize("end", [-10.0, -1.0])
def test_what_stands_in_for_images_decides_nothing(end):
    found = whole(claims()["image_quality"], ends({"fd_ssm_vr": end})).verdict
    assert found.word == "cannot be tested here" and found.number == pytest.approx(100 * (end + 10) / 20)


@pytest.mark.parametrize(
    ("name", "world", "word"),
    [
        ("variance_reduction_trains_better", ends({"ssm": -9.9}), WRONG),
        ("deeper_models_train_better", equilibrium(-9.9, 900), BETWEEN),
        ("matching_after_preprocessing", likelihood(2.5, 2.0), WRONG),
        ("sliced_beats_denoising", ends({"dsm": -9.9}), BETWEEN),
    ],
)
def test_a_difference_that_every_seed_has_and_nobody_would_notice_is_not_enough(name, world, word):
    assert whole(claims()[name], world).verdict.word == word


@pytest.mark.parametrize(("claim", "world", "word"), CASES)
def test_the_rule_gives_its_word(claim, world, word):
    entry = whole(claim, world)
    assert entry.verdict.word == word, [(f.what, str(f.figure), f.asked, f.holds) for f in entry.verdict.findings]


@pytest.mark.parametrize("claim", TRAINED, ids=lambda claim: claim.name)
def test_every_rule_needs_all_its_runs_and_says_numbers(claim):
    world = WORLDS.get(claim.name, (ends({}),))[0]
    entry = whole(claim, world)
    assert all(f.figure.low <= f.figure.number <= f.figure.high for f in entry.verdict.findings)
    assert str(entry.verdict.findings[0].figure) in entry.verdict.sentence
    assert not {"{", "}", "None", "nan"} & set(entry.verdict.sentence.replace(",", " ").split())
    assert entry.seconds == pytest.approx(2.0 * len(claim.runs()) + 1.5 * len(claim.points()))
    assert len(json.loads(json.dumps(entry.as_dict(), allow_nan=False))["runs"]) == len(claim.runs())
    for missing in claim.runs()[:: len(SEEDS)]:
        others = [ran(t, **world(t)) for t in claim.runs() if t != missing]
        left_out = entries_of_rows([claim], [row(at) for at in claim.points()], others)[0].verdict
        assert left_out.word == "not measured yet" and missing.point.estimator in left_out.sentence


def test_the_chance_of_far_points_is_in_the_interval():
    """Of 10 000 points 10 are far: the root of their number is off by a third at 95 %, whatever the seeds agree on."""
    found = whole(claims()["quantiles_against_mean_square"], lambda t: {"score_l2": 20.0, "score_q99": 0.2}).verdict
    chance = 0.3099032  # 1.96/(2√10)
    assert found.number == pytest.approx(100.0)
    assert (found.low, found.high) == (pytest.approx(100 * math.exp(-chance)), pytest.approx(100 * math.exp(chance)))


def test_runs_of_several_machines_are_never_mixed():
    claim = claims()["variance_reduction_trains_better"]
    right, wrong = WORLDS[claim.name][:2]
    first, *rest = claim.runs()
    there = [ran(t, **wrong(t), machine="there") for t in claim.runs()]
    here = [ran(t, **right(t)) for t in rest]
    assert entries_of_rows([claim], [], [*here, *there])[0].verdict.word == WRONG
    assert entries_of_rows([claim], [], [*here, ran(first, **right(first)), *there[1:]])[0].verdict.word == RIGHT


def test_seeds_scatter_makes_a_rule_undecided():
    claim = claims()["variance_reduction_trains_better"]
    scatter = {seed: 5.0 * (-1) ** seed for seed in SEEDS}
    entry = whole(claim, lambda t: {"end": scatter[t.point.problem.seed] if t.point.estimator == "ssm" else 0.0})
    assert entry.verdict.word == "undecided" and math.isfinite(entry.verdict.number)
