"""Medians, ratios and verdicts."""

import numpy as np
import pytest

from bench.statistics.bootstrap import bootstrap_medians, median_interval, ratio_interval
from bench.statistics.verdict import of_launches, statement, verdict, verdicts


def test_median_interval_covers():
    # 400 repetitions of 30 samples; nominal 95 %, false-failure rate of the bound below 1e-6; seeded
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        _, low, high = median_interval(rng.lognormal(size=30))
        covered += low <= 1 <= high
    assert covered >= 360


def test_median_interval_is_repeatable_and_ordered():
    samples = np.random.default_rng(1).normal(10, 1, 25)
    median, low, high = median_interval(samples)
    assert median_interval(samples) == (median, low, high)
    assert low < median < high
    assert median_interval(samples, level=0.5)[1] > low


@pytest.mark.parametrize("n", [1, 2, 5, 8, 15, 30, 400, 401, 402])
def test_bootstrap_medians_without_resampling(n):
    rng = np.random.default_rng(n)
    samples = rng.lognormal(0, 0.1, n)
    values, weights = bootstrap_medians(samples)
    resampled = np.median(rng.choice(samples, (20_000, n)), axis=1)
    assert weights.sum() == pytest.approx(1)
    for at in np.quantile(samples, [0.2, 0.4, 0.5, 0.7]):
        # five standard errors of 20 000 resamples; 24 comparisons: falsely failing with probability below 2e-5; seeded
        assert weights[values <= at].sum() == pytest.approx((resampled <= at).mean(), abs=5 * 0.5 / np.sqrt(20_000))


def test_the_interval_is_that_of_the_resampled_medians():
    # the median of five draws from five samples is the least of them with probability 0.05792, exactly
    samples = [3.0, 1.0, 5.0, 2.0, 4.0]
    assert median_interval(samples, 1 - 2 * 0.0579)[1:] == (1, 5)
    assert median_interval(samples, 1 - 2 * 0.0580)[1:] == (2, 4)


def test_one_sample_has_no_interval_and_equal_ones_a_point():
    median, low, high = median_interval([3.0])
    assert median == 3
    assert np.isnan([low, high]).all()
    assert median_interval([2.0, 2.0, 2.0]) == (2, 2, 2)


def test_ratios_are_taken_round_by_round():
    drift = np.geomspace(1, 50, 30)
    ratio, low, high = ratio_interval(1.1 * drift, drift)
    assert (ratio, low, high) == pytest.approx((1.1, 1.1, 1.1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: median_interval([]), "at least one number"),
        (lambda: median_interval([1.0, np.nan]), "1 of 2 are not"),
        (lambda: median_interval([1.0, 2.0], level=95), "level"),
        (lambda: ratio_interval([1.0], [1.0, 2.0]), "a has 1 rounds, b has 2"),
        (lambda: ratio_interval([1.0], [0.0]), "b has to be positive"),
        (lambda: verdict([1.0, -1.0]), "positive"),
        (lambda: verdict([1.0], floor=0.1), "same_within"),
        (lambda: verdict([1.0], comparisons=0), "comparisons"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def _rounds(ratio, spread=0.005, rounds=30, seed=0):
    return ratio * np.exp(spread * np.random.default_rng(seed).standard_normal(rounds))


@pytest.mark.parametrize(
    ("ratio", "spread", "word"),
    [
        (1.05, 0.005, "slower"),
        (0.95, 0.005, "faster"),
        (1.0, 0.005, "same"),
        (1.008, 0.001, "same"),  # real, but below the floor
        (1 / 1.008, 0.001, "same"),
        (1.012, 0.01, "same"),
        (1.05, 0.2, "unclear"),
        (1.0, 0.2, "unclear"),
    ],
)
def test_words(ratio, spread, word):
    assert verdict(_rounds(ratio, spread)).word == word


def test_unchanged_code_is_almost_never_called_changed():
    # rounds of unchanged code moved by -1.3 to +1.0 %; 300 verdicts, seeded
    words = [verdict(_rounds(1.0, 0.006, seed=k)).word for k in range(300)]
    assert sum(word in ("faster", "slower") for word in words) <= 2


def test_five_percent_is_seen():
    words = [verdict(_rounds(1.05, 0.02, seed=k)).word for k in range(100)]
    assert words.count("slower") >= 95


def test_more_comparisons_ask_for_more():
    ratios = _rounds(1.02, 0.015)
    alone, among_many = verdict(ratios), verdict(ratios, comparisons=20)
    assert among_many.low < alone.low
    assert among_many.high > alone.high
    assert among_many.level == pytest.approx(0.9995)
    together = verdicts({"a": ratios, "b": ratios})
    assert together["a"].comparisons == 2
    assert "99.5 % interval" in statement(2)
    assert "Bonferroni" in statement(2)


def test_few_rounds_are_unclear_however_equal():
    short = verdict([1.5] * 5)
    assert short.word == "unclear"
    assert short.reason == "5 rounds; 99 % needs at least 8"
    assert verdict([1.5] * 8).word == "slower"


def test_most_launches_have_to_show_a_change():
    slower = [_rounds(1.05, seed=k) for k in range(3)]
    assert of_launches(slower) == verdict(np.concatenate(slower))
    assert of_launches(slower).word == "slower"
    assert of_launches([1 / ratios for ratios in slower]).word == "faster"
    # the rounds together clear the floor; the third pair of processes does not
    lame = _rounds(1.008, rounds=10, spread=0.001, seed=9)
    assert verdict(np.concatenate([*slower[:2], lame])).word == "slower"
    found = of_launches([*slower[:2], lame])
    assert (found.word, found.reason) == ("unclear", "2 of 3 launches clear 1 %")
    assert of_launches([1 / ratios for ratios in [*slower[:2], lame]]).word == "unclear"
    more = [_rounds(1.05, seed=k) for k in range(4)]
    assert of_launches([*more, lame]).word == "slower"  # four of five
    assert of_launches([*more, lame, lame]).word == "unclear"  # four of six
    assert of_launches([*more, lame], floor=0.002).word == "slower"
    assert of_launches([_rounds(1.001, seed=1), _rounds(0.999, seed=2)]).word == "same"
