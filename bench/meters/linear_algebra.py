"""Floating-point operations of dense linear algebra, which torch's own registry of operations leaves out.

Leading terms of the standard counts (Golub, Van Loan (2013), Matrix Computations), a multiplication and an addition
each one operation, as in torch's registry. Iterative ones have no count that is exact: an eigendecomposition counts as
the customary 9n³, singular values and general eigenvalues count as nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor


def lu(a: Tensor) -> int:
    """LU of (m, n), k = min(m, n): Σ_{j<k} 2(m − j)(n − j) = 2mnk − (m + n)k² + ⅔k³, which is ⅔n³ for a square."""
    count, m, n, k = _sizes(a)
    return count * (2 * m * n * k - (m + n) * k**2 + 2 * k**3 // 3)


def qr(a: Tensor, mode: str = "reduced") -> int:
    """Householder QR of (m, n): twice an LU for R; for Q besides 2mk² − ⅔k³ (m × k), 4mk(m − k) + 4/3·k³ (m × m)."""
    count, m, _, k = _sizes(a)
    q = {"r": 0, "reduced": 2 * m * k**2 - 2 * k**3 // 3, "complete": 4 * m * k * (m - k) + 4 * k**3 // 3}[mode]
    return 2 * lu(a) + count * q


def cholesky(a: Tensor) -> int:
    """⅓n³."""
    count, n, _, _ = _sizes(a)
    return count * n**3 // 3


def inverse(a: Tensor) -> int:
    """2n³: ⅔n³ to factor, 4/3·n³ to invert the factors and multiply them."""
    count, n, _, _ = _sizes(a)
    return count * 2 * n**3


def eigenvectors(a: Tensor) -> int:
    """9n³, for a symmetric matrix."""
    count, n, _, _ = _sizes(a)
    return count * 9 * n**3


def triangular_solve(triangle: Tensor, solution: Tensor) -> int:
    """n² for each right-hand side."""
    return triangle.shape[-1] * solution.numel()


def _sizes(a: Tensor) -> tuple[int, int, int, int]:
    """How many matrices, their rows, their columns, and the fewer of the two."""
    m, n = a.shape[-2:]
    return math.prod(a.shape[:-2]), m, n, min(m, n)


_aten: Any = torch.ops.aten
LINEAR_ALGEBRA: Mapping[Any, Callable[..., int]] = MappingProxyType(
    {
        _aten._linalg_det: lambda a, **_: lu(a),
        _aten._linalg_slogdet: lambda a, **_: lu(a),
        _aten.linalg_lu: lambda a, **_: lu(a),
        _aten.linalg_lu_factor_ex: lambda a, **_: lu(a),
        _aten.linalg_lu_solve: lambda a, pivots, b, *, out_val, **_: 2 * triangular_solve(a, out_val),
        _aten._linalg_solve_ex: lambda a, b, *, out_val, **_: lu(a) + 2 * triangular_solve(a, out_val[0]),
        _aten.linalg_inv_ex: lambda a, **_: inverse(a),
        _aten.linalg_cholesky_ex: lambda a, *_, **__: cholesky(a),
        _aten.cholesky_solve: lambda b, a, *_, out_val, **__: 2 * triangular_solve(a, out_val),
        _aten.cholesky_inverse: lambda a, *_, **__: 2 * cholesky(a),
        _aten.linalg_solve_triangular: lambda a, b, *, out_val, **_: triangular_solve(a, out_val),
        _aten.triangular_solve: lambda b, a, *_, out_val, **__: triangular_solve(a, out_val[0]),
        _aten.linalg_qr: lambda a, mode="reduced", **_: qr(a, mode),
        _aten._linalg_eigh: lambda a, *_, **__: eigenvectors(a),
    }
)
"""Operation → (its arguments, and its result as ``out_val``) → how many operations it does."""
