"""The bias of the mean of noisy vector draws, corrected for the noise, with an interval that covers it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from bench.statistics.noise import Array, NoiseMoments, noise_moments

PRECISION = 1e-8  # of the ends of an interval, relative
DOUBLINGS, SECANTS = 60, 100  # at most; some eight in all


@dataclass(frozen=True)
class BiasInterval:
    """The norm of a bias: its estimate and a two-sided interval.

    Attributes:
        bias: √max(0, ‖b̄‖² − tr S/K).
        low: the lower end, 0 where the bias is not resolved.
        high: the upper end; where the bias is not resolved, the detection limit.
        resolved: whether the interval excludes zero.
    """

    bias: float
    low: float
    high: float
    resolved: bool

    def scaled(self, factor: float) -> BiasInterval:
        """The same interval in other units."""
        return BiasInterval(self.bias * factor, self.low * factor, self.high * factor, self.resolved)

    def blurred(self, error: float) -> BiasInterval:
        """The same for the bias from what is only known with a standard error (in the same units).

        √(trS/n), that error, is the root mean square of the norm it is off by, so twice it covers that norm in 95 % and
        more, whatever the noise's dimension; both ends go out by as much.
        """
        low = max(0.0, self.low - 2 * error)
        bias = math.sqrt(max(0.0, self.bias**2 - error**2))
        return BiasInterval(bias, low, self.high + 2 * error, low > 0)


def bias_interval(gram: np.ndarray, level: float = 0.95) -> BiasInterval:
    """The interval for β = ‖E d‖ from the Gram matrix of K block means of d = ĝ − g.

    See `bias_intervals`, of which this is the case of one matrix. Units are those of d; the caller divides by ‖g‖.

    Args:
        gram: gram[i, j] = b_i·b_j, shape (K, K), blocks of equal size, K >= 2; 16 to 32 are advised.
        level: the probability with which the interval covers β.

    Raises:
        ValueError: the matrix is not square, has fewer than two blocks or is not finite, or the level is not in (0, 1).
    """
    gram = np.asarray(gram, dtype=np.float64)
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1] or gram.shape[0] < 2:
        raise ValueError(f"gram has to be a square matrix of at least 2 blocks; got shape {gram.shape}")
    if not 0 < level < 1:
        raise ValueError(f"level has to be between 0 and 1; got {level!r}")
    if not np.isfinite(gram).all():
        bad = int(np.count_nonzero(~np.isfinite(np.diagonal(gram))))
        raise ValueError(f"gram has to be finite; {bad} of its {gram.shape[0]} blocks hold NaN or infinity")
    bias, low, high = (float(value[0]) for value in bias_intervals(gram[None], level))
    return BiasInterval(bias, low, high, low > 0)


def bias_intervals(grams: Array, level: float = 0.95) -> tuple[Array, Array, Array]:
    """(bias, low, high) for many Gram matrices at once, shape (R, K, K) → three arrays of R.

    U = ‖b̄‖² − tr S/K is unbiased for β². Its law at a bias β is approximated by a scaled and shifted noncentral χ²,

        U − β² ~ c·(χ'²_h(λ) − h − λ),   h = (trΣ²)³/(trΣ³)²,   c = √(trΣ²/h)/K,   λ = βᵀΣβ/(K c²),

    which has the variance 2 trΣ²/K² + 4 βᵀΣβ/K and, without bias, the skewness of U, and which is exact for isotropic
    noise in any dimension. The noise along the bias, βᵀΣβ = β²q, has q = (b̄ᵀSb̄ − trΣ²/K)/U where U is above the noise;
    below, q shrinks to the noise-weighted variance trΣ³/trΣ². That Σ is estimated from K blocks is allowed for as in
    Student's t: tail probabilities go through the normal quantile to a t with Satterthwaite's degrees of freedom, so
    that in one dimension the test of β = 0 is close to the t-test at half the level, a tail's share. The interval
    holds all β that are not refused at either tail; a bias that is not resolved is bounded by the limit at U >= 0 (else
    a lucky draw would promise an impossible precision).

    Cost: O(R K³) and about 15 evaluations of the noncentral χ². Sources: Box (1954), Some theorems on quadratic forms
    I, Ann. Math. Statist. 25, for matching moments; Buckley and Eagleson (1988), An approximation to the distribution
    of quadratic forms in normal random variables, Austral. J. Statist. 30, for matching three; the estimate of βᵀΣβ
    and its shrinkage are ours, and `python -m bench.statistics.coverage` measures what they reach.
    """
    moments = noise_moments(grams)
    squared = moments.squared_bias
    bias = np.sqrt(np.maximum(squared, 0))
    blocks = moments.blocks
    largest = np.diagonal(grams, axis1=-2, axis2=-1).max(-1)
    noiseless = moments.trace <= 8 * blocks * np.finfo(np.float64).eps * largest  # below what a Gram matrix can show
    low, high = np.sqrt(np.maximum(moments.mean_square, 0)), np.sqrt(np.maximum(moments.mean_square, 0))
    bias = np.where(noiseless, low, bias)
    if (~noiseless).any():
        scale = np.sqrt(largest[~noiseless])  # so that no power under- or overflows
        noisy = noise_moments(grams[~noiseless] / scale[:, None, None] ** 2)
        tail_probability = _tail(noisy)
        miss = (1 - level) / 2
        observed = noisy.squared_bias
        resolved = tail_probability(observed, np.zeros_like(observed)) > 1 - miss
        at_least_zero = np.where(resolved, observed, np.maximum(observed, 0))
        ends, targets = np.stack([observed, at_least_zero]), np.array([[1 - miss], [miss]])
        guess = np.sqrt(np.maximum(ends, 0) + 2 * np.sqrt(2 * noisy.trace2) / noisy.blocks)  # two σ of U without bias
        lower, upper = _solve(tail_probability, ends, targets, guess)
        low[~noiseless], high[~noiseless] = lower * scale, upper * scale
    return bias, low, high


def bias_estimate(gram: np.ndarray) -> float:
    """√max(0, ‖b̄‖² − tr S/K) alone, for whoever needs no interval: a hundredth of its time."""
    return float(np.sqrt(np.maximum(noise_moments(np.asarray(gram, dtype=np.float64)).squared_bias, 0)))


def _tail(moments: NoiseMoments) -> Callable[[Array, Array], Array]:
    """The function (U, β²) → probability of a smaller U at the bias β."""
    blocks, ν = moments.blocks, moments.blocks - 1
    trace2, along, positive = moments.trace2, moments.along_mean, np.maximum(moments.squared_bias, 0)
    shape = np.clip(trace2**3 / moments.trace3**2, 1.0, 1e12)
    # trΣ² estimated, and tr S/K subtracted: exact in one dimension, right to first order in 1/K in many
    widened = trace2 * (1 + (1 + 1 / shape) / ν)
    scale = np.sqrt(widened / shape) / blocks
    typical = scale * blocks
    resolution = 2 * np.sqrt(2 * trace2) / blocks + trace2 / (blocks * typical)
    q = (np.maximum(along - trace2 / blocks, 0) + resolution * typical) / (positive + resolution)
    q = np.minimum(q, np.sqrt(widened))  # no direction is noisier
    q_noise = np.minimum(along / (positive + resolution), 10 * np.sqrt(trace2))
    null_variance = 2 * trace2 / blocks**2
    null_uncertainty = 1 / (shape * ν) + 2 * (1 - 1 / shape) / ν**2

    def tail(observed: Array, squared_bias: Array) -> Array:
        noncentrality = squared_bias * q / (blocks * scale**2)
        x = (observed - squared_bias) / scale + shape + noncentrality
        gaussian = np.clip(_noncentral_chi_square(x, shape, noncentrality), 1e-300, 1 - 1e-16)
        cross = 4 * squared_bias / blocks
        freedom = (null_variance + cross * q) ** 2 / (null_variance**2 * null_uncertainty + (cross * q_noise) ** 2 / ν)
        freedom = np.maximum(freedom, ν)
        one_sided = special.stdtr(freedom, special.ndtri(gaussian))
        two_sided = 2 * special.stdtr(freedom, special.ndtri((1 + gaussian) / 2)) - 1
        folded = np.exp(-noncentrality) / shape  # in one dimension without bias, U is a square
        return folded * two_sided + (1 - folded) * one_sided

    return tail


def _solve(tail: Callable[[Array, Array], Array], observed: Array, target: Array, guess: Array) -> Array:
    """The β at which the tail probability, falling in β, is ``target``; 0 where it is below that at β = 0 already.

    From ``guess`` on it is doubled until it is too high; then secants, by the Illinois rule, which never lets go of the
    root (Dowell and Jarratt, 1971, A modified regula falsi method, BIT 11). They are drawn through normal quantiles of
    the probabilities, nearly straight lines in β.
    """
    quantile = special.ndtri(target)

    def above(β: Array) -> Array:
        return special.ndtri(np.clip(tail(observed, β**2), 1e-300, 1 - 1e-16)) - quantile

    low, high = np.zeros_like(observed), guess
    at_low, at_high = above(low), above(high)
    nothing = at_low <= 0
    at_low = np.where(nothing, 1.0, at_low)
    for _ in range(DOUBLINGS):
        short = at_high > 0
        if not short.any():
            break
        low, at_low = np.where(short, high, low), np.where(short, at_high, at_low)
        high = np.where(short, 2 * high, high)
        at_high = above(high)
    here = high
    for _ in range(SECANTS):
        before, here = here, high - at_high * (high - low) / (at_high - at_low)
        if np.all((abs(here - before) <= PRECISION * here) | nothing):
            break
        at_here = above(here)
        crossed = (at_here > 0) != (at_high > 0)  # high: the newest; low: the newest across the root from it
        low = np.where(crossed, high, low)
        at_low = np.where(crossed, at_high, at_low / 2)
        high, at_high = here, at_here
    return np.where(nothing, 0.0, here)


def _noncentral_chi_square(x: Array, freedom: Array, noncentrality: Array) -> Array:
    """Its distribution function: the exact one, or where its series gets long, the approximation of Sankaran (1963)."""
    x, freedom, noncentrality = np.broadcast_arrays(np.maximum(x, 0), freedom, noncentrality)
    long = freedom + noncentrality > 1e4
    result = np.empty_like(x)
    result[~long] = special.chndtr(x[~long], freedom[~long], noncentrality[~long])
    k, λ, y = freedom[long], noncentrality[long], x[long]
    power = 1 - 2 / 3 * (k + λ) * (k + 3 * λ) / (k + 2 * λ) ** 2
    p = (k + 2 * λ) / (k + λ) ** 2
    m = (power - 1) * (1 - 3 * power)
    mean = 1 + power * p * (power - 1 - 0.5 * (2 - power) * m * p)
    deviation = power * np.sqrt(2 * p) * (1 + 0.5 * m * p)
    result[long] = special.ndtr(((y / (k + λ)) ** power - mean) / deviation)
    return result
