"""From measurements to rows a density model can take: dequantise, logit, standardise, whiten."""

from __future__ import annotations

import numpy as np

SQUEEZE = 0.01  # keeps the logit finite at black and white


def dequantise(levels: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Spread whole levels 0…count−1 uniformly over their bins: (level + u) / count, in [0, 1)."""
    return (levels + generator.random(levels.shape)) / count


def logit(p: np.ndarray, squeeze: float = SQUEEZE) -> np.ndarray:
    """The logit, log q/(1 − q) with q = squeeze + (1 − 2·squeeze)·p, from the unit interval to the line."""
    q = squeeze + (1.0 - 2.0 * squeeze) * p
    return np.log(q) - np.log1p(-q)


def sigmoid(t: np.ndarray, squeeze: float = SQUEEZE) -> np.ndarray:
    """The inverse of `logit`: from the line to the unit interval, cut where noise has left it."""
    q = 0.5 * (1.0 + np.tanh(0.5 * t))
    return np.clip((q - squeeze) / (1.0 - 2.0 * squeeze), 0.0, 1.0)


def standardise(rows: np.ndarray) -> np.ndarray:
    """Every column to mean zero and variance one; a constant column is only centred."""
    centred = rows - rows.mean(0)
    spread = centred.std(0)
    return centred / np.where(spread > 0, spread, 1.0)


def whitened_components(rows: np.ndarray, dim: int) -> np.ndarray:
    """The ``dim`` principal components of largest variance, each scaled to variance one.

    The sign of a component is fixed by its largest loading, so that the result does not depend on the LAPACK at hand.

    Args:
        rows: (N, D) with N > dim, of full enough rank.
        dim: how many components, at most D.

    Returns:
        (N, dim), with identity covariance.
    """
    centred = rows - rows.mean(0)
    variances, directions = np.linalg.eigh(centred.T @ centred / len(rows))
    largest = np.argsort(variances)[::-1][:dim]
    directions = directions[:, largest]
    signs = np.sign(directions[np.abs(directions).argmax(0), np.arange(dim)])
    return centred @ (directions * signs / np.sqrt(variances[largest]))


def resize(images: np.ndarray, side: int) -> np.ndarray:
    """Images (N, h, h) to (N, side, side) by bilinear interpolation between pixel centres."""
    weights = _interpolation(images.shape[1], side)
    return np.einsum("ai,nij,bj->nab", weights, images, weights, optimize=True)


def _interpolation(old: int, new: int) -> np.ndarray:
    """The (new, old) matrix of linear interpolation; each row sums to one."""
    centres = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    low = np.minimum(np.floor(centres).astype(int), old - 2)
    weights = np.zeros((new, old))
    weights[np.arange(new), low] = 1.0 - (centres - low)
    weights[np.arange(new), low + 1] = centres - low
    return weights
