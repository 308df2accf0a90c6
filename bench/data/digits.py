"""scikit-learn's 1797 handwritten digits, at any dimension up to 3072."""

from __future__ import annotations

import numpy as np

from bench.data import preprocessing as pre
from bench.data.source import Source, register

IMAGES = 1797
NATIVE = {64: (8, 1), 196: (14, 1), 784: (28, 1), 3072: (32, 3)}  # dimension: side, channels
PREPROCESSING_SEED = 1797


def make(dim: int, rows: int) -> np.ndarray:
    """Digits as rows: resized, dequantised, taken through the logit, standardised; or whitened principal components.

    64, 196, 784 and 3072 = 32·32·3 dimensions are images, standardised pixel by pixel. Fewer, and those between, are
    whitened principal components of the next larger image. Where more rows than images are needed (large batches, and
    components beyond the number of images), images are dequantised more than once.

    Args:
        dim: D, from 1 to 3072.
        rows: at least so many are made.

    Returns:
        (N, D) with N ≥ rows, every column of mean zero and variance one.
    """
    native = min(d for d in NATIVE if d >= dim)
    copies = max(-(-rows // IMAGES), 1 if dim == native or dim < IMAGES // 2 else -(-2 * dim // IMAGES))
    pixels = pre.standardise(pre.logit(_unit_pixels(native, copies)))
    return pixels if dim == native else pre.whitened_components(pixels, dim)


def to_pixels(rows: np.ndarray) -> np.ndarray:
    """Rows of `make` as images again, (N, D) in [0, 1), D one of 64, 196, 784 and 3072: the inverse of its last steps.

    The means and spreads are those of a table that holds every image at most once.
    """
    logits = pre.logit(_unit_pixels(rows.shape[1], 1))
    return pre.sigmoid(logits.mean(0) + logits.std(0) * rows)


def make_pixels(dim: int, rows: int) -> np.ndarray:
    """The same images dequantised and no more, (N, dim): pixels in [0, 1), for models that hold the logit themselves.

    Args:
        dim: D, one of 64, 196, 784 and 3072.
        rows: at least so many are made.
    """
    return _unit_pixels(dim, -(-rows // IMAGES))


def _unit_pixels(dim: int, copies: int) -> np.ndarray:
    """``copies`` times all images of D pixels, each time dequantised afresh: (copies·1797, D) in [0, 1)."""
    from sklearn.datasets import load_digits

    side, channels = NATIVE[dim]
    generator = np.random.default_rng(PREPROCESSING_SEED)
    images = load_digits().images  # (1797, 8, 8), levels 0…16
    blocks = []
    for _ in range(copies):
        if dim == 64:
            unit = pre.dequantise(images, 17, generator).reshape(IMAGES, -1)
        else:
            large = pre.resize(images, side)[:, None] / 16.0
            tint = generator.uniform(0.5, 1.0, (IMAGES, channels, 1, 1)) if channels > 1 else 1.0
            unit = pre.dequantise(np.rint(255.0 * tint * large), 256, generator).reshape(IMAGES, -1)
        blocks.append(unit)
    return np.concatenate(blocks)


register(Source("digits", make=make, dims=range(1, 3073)))
register(Source("digits_pixels", make=make_pixels, dims=tuple(NATIVE)))
