"""Rules for sums and means over dimensions of the series."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from estimators.taylor.series import Series, rule
from estimators.taylor.shapes import row_dims


@rule(torch.sum, Tensor.sum)
def sum_(x: Series, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Series:
    dims = row_dims(dim if dim is not None else list(range(x.ndim)))
    return x.map(lambda rows: rows.sum(dims, keepdim=keepdim, dtype=dtype)) if dims != [] else x


@rule(torch.mean, Tensor.mean)
def mean(x: Series, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Series:
    dims = row_dims(dim if dim is not None else list(range(x.ndim)))
    return x.map(lambda rows: rows.mean(dims, keepdim=keepdim, dtype=dtype)) if dims != [] else x
