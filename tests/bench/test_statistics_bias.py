"""The bias interval: its coverage, its units, and what it does with degenerate input."""

import numpy as np
import pytest
import torch
from scipy import stats

from bench.statistics.bias import BiasInterval, _tail, bias_interval, bias_intervals
from bench.statistics.blocks import BlockSums, block_count
from bench.statistics.coverage import ANISOTROPIC, BIASES, ISOTROPIC, Noise, cells, measure, simulate, table
from bench.statistics.noise import noise_moments

REPETITIONS = 2000


@pytest.fixture(scope="module")
def experiment():
    """The isotropic cells of 32 blocks × 8 draws, seeded: it fails or passes, but never by chance."""
    return [measure(*cell, repetitions=REPETITIONS) for cell in cells(full=False)]


def test_isotropic_noise_is_covered_but_not_over_covered(experiment):
    assert len(experiment) == len(ISOTROPIC) * len(BIASES)
    for row in experiment:
        assert 0.93 <= row.covered <= 0.98, row


def test_a_bias_of_zero_is_rarely_resolved(experiment):
    for row in experiment:
        if row.bias == 0:
            assert row.resolved <= 0.035, row


def test_a_resolvable_bias_is_resolved(experiment):
    seen = {(row.noise.spectrum[0][1], row.bias, row.std): row.resolved for row in experiment}
    assert seen[100_000, 1e-2, 1.0] > 0.99
    assert seen[1_000, 1e-4, 1e-3] > 0.99
    assert seen[1, 0.3, 1.0] > 0.95


@pytest.mark.parametrize("noise", ANISOTROPIC, ids=lambda noise: noise.name)
@pytest.mark.parametrize(("bias", "std"), [(0.0, 1.0), (1e-2, 0.1), (0.3, 1.0)])
def test_anisotropic_noise_may_only_over_cover(noise, bias, std):
    row = measure(noise, 32, 256, bias, std, repetitions=REPETITIONS)
    assert row.covered >= 0.93, row
    assert bias or row.resolved <= 0.035, row


@pytest.mark.parametrize("blocks", [4, 16, 32])
@pytest.mark.parametrize("bias", [0.0, 1e-3, 0.3, 30.0, 1e4])
def test_the_ends_are_where_the_tails_are(blocks, bias):
    rng = np.random.default_rng(blocks)
    means = rng.standard_normal((50, blocks, 5)) * rng.exponential(size=(50, 1, 5))
    means[..., 0] += bias
    grams = means @ means.swapaxes(1, 2)
    _, low, high = bias_intervals(grams)
    tail, observed = _tail(noise_moments(grams)), noise_moments(grams).squared_bias
    resolved = low > 0
    floor = np.where(resolved, observed, np.maximum(observed, 0))
    assert np.allclose(tail(floor, high**2), 0.025, rtol=1e-4)
    assert np.allclose(tail(observed, low**2)[resolved], 0.975, rtol=1e-4)
    assert (tail(observed, low**2)[~resolved] <= 0.975).all()
    assert resolved.all() or bias < 30


def test_sixteen_blocks_are_enough():
    for noise in ISOTROPIC:
        for bias, std in BIASES:
            assert measure(noise, 16, 64, bias, std, repetitions=REPETITIONS).covered >= 0.93


def test_simulated_gram_matrices_have_the_moments_of_vectors():
    # the Wishart route (m > 3K) against vectors, 4000 each; false-failure rate below 1e-4 (4 standard errors)
    rng = np.random.default_rng(0)
    noise = ISOTROPIC[2]
    grams = simulate(rng, 4000, noise, 8, 8, 0.5, 1.0)
    m = noise.spectrum[0][1]
    assert np.diagonal(grams, axis1=1, axis2=2).mean() == pytest.approx(0.25 + 1, abs=4 * np.sqrt(2 / m / 32000) + 4e-3)
    assert grams[:, 0, 1].mean() == pytest.approx(0.25, abs=0.006)
    assert grams[:, 0, 1].var() == pytest.approx(1 / m + 2 * 0.25 / m, rel=0.1)


def test_moments_are_unbiased():
    # 20000 repetitions, tolerance four standard errors
    noise = ANISOTROPIC[2]
    rng = np.random.default_rng(1)
    moments = noise_moments(simulate(rng, 20_000, noise, 16, 16, 0.3, 1.0))
    total = sum(v * m for v, m in noise.spectrum)
    trace2 = sum((v / total) ** 2 * m for v, m in noise.spectrum)

    def agrees(values, expected):
        return abs(values.mean() - expected) < 4 * values.std() / np.sqrt(len(values))

    assert agrees(moments.squared_bias, 0.09)
    assert agrees(moments.trace, 1.0)
    assert agrees(moments.trace2, trace2)
    assert agrees(moments.trace_squared, 1.0)
    assert agrees(moments.along_mean, 0.09 * (1 / total) + trace2 / 16)


def test_the_third_moment_is_unbiased_where_neither_bound_holds_it():
    """Two loud directions over 400 quiet ones: trΣ³ = 0.054 lies between its bounds 0.032 and 0.077.

    Without 2 s₁³/ν² it would be a sixth too small. 20000 repetitions: five standard errors, and 2 % for the shrinkage.
    """
    noise = Noise("", ((0.3, 2), (0.001, 400)))
    moments = noise_moments(simulate(np.random.default_rng(2), 20_000, noise, 16, 16, 0.0, 1.0))
    trace3 = sum(v**3 * m for v, m in noise.spectrum)
    error = moments.trace3.std() / np.sqrt(len(moments.trace3))
    assert abs(moments.trace3.mean() - trace3) < 5 * error + 0.02 * trace3


def test_units_scale_with_the_draws():
    rng = np.random.default_rng(3)
    gram = simulate(rng, 1, ISOTROPIC[1], 32, 64, 0.5, 1.0)[0]
    one = bias_interval(gram)
    for factor in (1e-9, 1e6):
        other = bias_interval(gram * factor**2)
        assert other.resolved == one.resolved
        assert other.bias == pytest.approx(factor * one.bias)
        assert other.low == pytest.approx(factor * one.low)
        assert other.high == pytest.approx(factor * one.high)


def test_a_reference_known_with_an_error_moves_both_ends_out_by_twice_that():
    blurred = BiasInterval(0.3, 0.2, 0.4, True).blurred(0.05)
    assert (blurred.low, blurred.high, blurred.resolved) == (pytest.approx(0.1), pytest.approx(0.5), True)
    assert blurred.bias == pytest.approx(np.sqrt(0.3**2 - 0.05**2))
    lost = BiasInterval(0.3, 0.2, 0.4, True).blurred(0.1)
    assert (lost.low, lost.high, lost.resolved) == (0.0, pytest.approx(0.6), False)
    assert BiasInterval(0.01, 0.0, 0.02, False).blurred(0.05).bias == 0.0
    assert BiasInterval(0.3, 0.2, 0.4, True).blurred(0.0) == BiasInterval(0.3, 0.2, 0.4, True)


def test_in_one_dimension_a_bias_is_resolved_where_the_t_test_resolves_it():
    """At half the level; 1.5 % of 4000 pairs differ, all within a per cent of the border. The seed is fixed."""
    draws = 0.5 + np.random.default_rng(0).standard_normal((4000, 16))
    _, low, _ = bias_intervals(draws[:, :, None] * draws[:, None, :])
    p = stats.ttest_1samp(draws, 0, axis=1).pvalue
    differ = (low > 0) != (p < 0.025)
    assert differ.mean() < 0.02
    assert np.abs(p[differ] - 0.025).max() < 0.01
    assert 0.2 < (low > 0).mean() < 0.8


def test_a_higher_level_gives_a_wider_interval():
    gram = simulate(np.random.default_rng(4), 1, ISOTROPIC[1], 32, 64, 1.0, 1.0)[0]
    narrow, wide = bias_interval(gram, 0.9), bias_interval(gram, 0.99)
    assert wide.low < narrow.low < narrow.bias < narrow.high < wide.high


def test_without_noise_the_interval_is_a_point():
    exact = bias_interval(np.full((16, 16), 0.04))
    assert exact.bias == exact.low == exact.high == pytest.approx(0.2)
    assert exact.resolved
    zero = bias_interval(np.zeros((16, 16)))
    assert (zero.bias, zero.low, zero.high, zero.resolved) == (0, 0, 0, False)


def test_an_unresolved_bias_has_a_positive_detection_limit():
    grams = simulate(np.random.default_rng(5), 500, ISOTROPIC[2], 32, 64, 0.0, 1.0)
    bias, low, high = bias_intervals(grams)
    unresolved = low == 0
    assert unresolved.mean() > 0.95
    assert (high[unresolved] > 0.01).all()  # noise of 1/√64 hides about 0.04, however lucky the draws
    assert (bias <= high).all()


@pytest.mark.parametrize("blocks", [2, 3, 4, 5])
def test_few_blocks_give_a_wide_but_finite_interval(blocks):
    grams = simulate(np.random.default_rng(6), 400, ISOTROPIC[1], blocks, blocks, 0.5, 1.0)
    bias, low, high = bias_intervals(grams)
    assert np.isfinite([bias, low, high]).all()
    assert np.mean((low <= 0.5) & (high >= 0.5)) > 0.9


@pytest.mark.parametrize(
    ("gram", "message"),
    [
        (np.full((4, 4), np.nan), "4 of its 4 blocks hold NaN"),
        (np.ones((1, 1)), "at least 2 blocks"),
        (np.ones((2, 3)), "square"),
    ],
)
def test_bad_input_is_named(gram, message):
    with pytest.raises(ValueError, match=message):
        bias_interval(gram)


def test_bad_level():
    with pytest.raises(ValueError, match="level has to be between 0 and 1"):
        bias_interval(np.ones((4, 4)), level=95)


@pytest.mark.parametrize(
    ("draws", "blocks"), [(1, 1), (7, 7), (16, 16), (20, 20), (64, 32), (100, 25), (256, 32), (37, 18)]
)
def test_block_count(draws, blocks):
    assert block_count(draws) == blocks


def _draws(n, bias, std, size=50, seed=0):
    generator = torch.Generator().manual_seed(seed)
    g = torch.randn(size, generator=generator, dtype=torch.float64)
    direction = torch.ones(size, dtype=torch.float64) / size**0.5
    noise = torch.randn(n, size, generator=generator, dtype=torch.float64) / size**0.5
    return g, g + g.norm() * (bias * direction + std * noise)


@pytest.mark.parametrize("at_once", [1, 5, 64])
@pytest.mark.parametrize("n", [64, 37])
def test_block_sums_against_all_draws(n, at_once):
    g, draws = _draws(n, bias=0.5, std=0.3)
    sums = BlockSums(g, n)
    for few in draws.split(at_once):
        sums.extend(few) if at_once > 1 else sums.add(few[0])
    d = (draws - g) / g.norm()
    assert sums.rmse() == pytest.approx(float(d.square().sum(1).mean().sqrt()))
    assert sums.std() == pytest.approx(float(d.var(0).sum().sqrt()))
    assert sums.cosine() == pytest.approx(float(torch.nn.functional.cosine_similarity(draws, g[None]).mean()))
    size = n // sums.blocks
    means = (draws - g)[: size * sums.blocks].reshape(sums.blocks, size, -1).mean(1)
    torch.testing.assert_close(sums.gram(), means @ means.T)
    interval = sums.bias()
    assert interval.resolved
    assert interval.low < 0.5 < interval.high
    assert sums.std() == pytest.approx(0.3, rel=0.1)


def test_partners_cancel_the_noise_they_share():
    g, draws = _draws(64, bias=0.0, std=1.0)
    sums = BlockSums(g, 64)
    shift = 1e-6 * g.norm() * torch.nn.functional.one_hot(torch.tensor(3), 50)
    for k, draw in enumerate(draws):
        sums.add(draw + shift * (1 + 0.1 * (-1) ** (k // 2)), partner=draw)
    interval = sums.bias()
    assert interval.resolved
    assert interval.bias == pytest.approx(1e-6, rel=1e-2)
    assert np.isnan(sums.cosine())


def test_a_deterministic_estimator_has_low_equal_high():
    g = torch.arange(1.0, 11, dtype=torch.float64)
    sums = BlockSums(g, 4)
    for _ in range(4):
        sums.add(1.1 * g)
    interval = sums.bias()
    assert interval.low == interval.high == interval.bias == pytest.approx(0.1)
    assert sums.std() == pytest.approx(0, abs=1e-7)
    assert sums.cosine() == pytest.approx(1)


def test_a_reference_of_zero_gives_absolute_numbers():
    sums = BlockSums(torch.zeros(3, dtype=torch.float64), 4)
    for _ in range(4):
        sums.add(torch.tensor([3.0, 0, 4], dtype=torch.float64))
    assert not sums.relative
    assert sums.bias().bias == pytest.approx(5)
    assert np.isnan(sums.cosine())


def test_block_sums_name_bad_input():
    g = torch.ones(3, dtype=torch.float64)
    with pytest.raises(ValueError, match="reference has to be float64"):
        BlockSums(g.float(), 4)
    with pytest.raises(ValueError, match="reference has to be finite"):
        BlockSums(g * torch.nan, 4)
    sums = BlockSums(g, 1)
    with pytest.raises(ValueError, match="float64 of 3 entries"):
        sums.add(torch.ones(4, dtype=torch.float64))
    sums.add(g)
    with pytest.raises(ValueError, match="got 1 more"):
        sums.add(g)
    with pytest.raises(ValueError, match="at least 2 blocks"):
        sums.bias()


def test_nan_draws_are_refused_at_the_interval():
    g = torch.ones(3, dtype=torch.float64)
    sums = BlockSums(g, 4)
    for k in range(4):
        sums.add(g * (torch.nan if k == 2 else 1))
    with pytest.raises(ValueError, match="1 of its 4 blocks"):
        sums.bias()


def test_the_table_has_a_row_for_each_cell(experiment):
    text = table(experiment, REPETITIONS)
    assert text.count("\n| isotropic") == len(experiment)
