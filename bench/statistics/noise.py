"""Unbiased moments of the noise of vector draws, from the Gram matrix of their block means alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class NoiseMoments:
    """Moments of K block means b_k ~ (β, Σ) in R^P, each an array over leading axes.

    Attributes:
        blocks: K.
        mean_square: ‖b̄‖² with b̄ = mean_k b_k; its expectation is β² + trΣ/K.
        trace: unbiased estimate of trΣ.
        trace_squared: unbiased estimate of (trΣ)².
        trace2: unbiased estimate of trΣ², at most ``trace_squared``.
        trace3: estimate of trΣ³, shrunk by its own noise, within [trΣ²²/trΣ, (trΣ²)^{3/2}].
        along_mean: b̄ᵀSb̄, whose expectation is βᵀΣβ + trΣ²/K.
    """

    blocks: int
    mean_square: Array
    trace: Array
    trace_squared: Array
    trace2: Array
    trace3: Array
    along_mean: Array

    @property
    def squared_bias(self) -> Array:
        """‖b̄‖² − tr S/K, the unbiased estimate of β²; negative where noise hides it."""
        return self.mean_square - self.trace / self.blocks

    @property
    def effective_dimension(self) -> Array:
        """The participation ratio (trΣ)²/trΣ², at least 1."""
        return np.maximum(self.trace_squared / self.trace2, 1.0)


def noise_moments(gram: Array) -> NoiseMoments:
    """The moments from gram[..., i, j] = b_i·b_j, shape (..., K, K), K >= 2.

    With ν = K − 1, S = Σ_k (b_k − b̄)(b_k − b̄)ᵀ/ν and s_r = tr S^r, Gaussian block means have the unbiased estimates

        trΣ² = ν²/((ν−1)(ν+2)) · (s₂ − s₁²/ν),      (trΣ)² = s₁² − 2 trΣ²/ν,
        trΣ³ = ν⁴/((ν−1)(ν−2)(ν+2)(ν+4)) · (s₃ − 3 s₁s₂/ν + 2 s₁³/ν²).

    The last has a standard deviation of √(6/ν³)·(trΣ²)^{3/2}, enormous in many dimensions; its noise is subtracted, as
    in James–Stein shrinkage. With fewer than four blocks the noise is taken to have one direction, the cautious choice.

    Cost: O(K³) for each matrix. Source: Srivastava (2005), Some tests concerning the covariance matrix in high
    dimensional data, J. Japan Statist. Soc. 35, for trΣ²; the third moment follows from the Wishart cumulants.
    """
    blocks = gram.shape[-1]
    ν = blocks - 1
    row_means = gram.mean(-1, keepdims=True)
    mean_square = gram.mean((-1, -2))
    centred = (gram - row_means - row_means.swapaxes(-1, -2) + mean_square[..., None, None]) / ν
    s1 = np.trace(centred, axis1=-2, axis2=-1)
    square = centred @ centred
    s2 = np.trace(square, axis1=-2, axis2=-1)
    s3 = (square * centred).sum((-1, -2))
    along_mean = ((row_means[..., 0] - mean_square[..., None]) ** 2).sum(-1) / ν

    if blocks < 4:
        return NoiseMoments(blocks, mean_square, s1, s1**2, s1**2, s1**3, along_mean)
    trace2 = ν**2 / ((ν - 1) * (ν + 2)) * (s2 - s1**2 / ν)
    trace_squared = s1**2 - 2 * trace2 / ν
    trace2 = np.clip(trace2, trace_squared * 1e-12, trace_squared)  # 1e12 directions: nobody has more
    trace3 = ν**4 / ((ν - 1) * (ν - 2) * (ν + 2) * (ν + 4)) * (s3 - 3 * s1 * s2 / ν + 2 * s1**3 / ν**2)
    tiny = np.finfo(np.float64).tiny
    shrunk = trace3 - 4 * (6 / ν**3) * trace2**3 / np.maximum(trace3, tiny)
    trace3 = np.clip(shrunk, trace2**2 / np.maximum(s1, tiny), trace2**1.5)
    return NoiseMoments(blocks, mean_square, s1, trace_squared, trace2, trace3, along_mean)
