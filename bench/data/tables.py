"""scikit-learn's measured tables: breast_cancer (569 rows, 30 columns) and wine (178 rows, 13 columns)."""

from __future__ import annotations

import numpy as np

from bench.data import preprocessing as pre
from bench.data.source import Source, register


def make_breast_cancer(dim: int, rows: int) -> np.ndarray:
    """Whitened principal components of the standardised columns, (569, dim)."""
    from sklearn.datasets import load_breast_cancer

    return pre.whitened_components(pre.standardise(load_breast_cancer().data), dim)


def make_wine(dim: int, rows: int) -> np.ndarray:
    """Whitened principal components of the standardised columns, (178, dim)."""
    from sklearn.datasets import load_wine

    return pre.whitened_components(pre.standardise(load_wine().data), dim)


register(Source("breast_cancer", make=make_breast_cancer, dims=range(1, 31), rows_available=lambda dim: 569))
register(Source("wine", make=make_wine, dims=range(1, 14), rows_available=lambda dim: 178))
