"""curvlinops' trace estimators on the Hessian in the input: Hutchinson, Hutch++ and XTrace, row by row.

Its own operators are in a model's parameters; the one here is an operator of its public base class. It draws from the
global random state, which is set from the generator and put back. It refuses M ≥ D, so that Hutch++ and XTrace at their
default M fail the conformance battery, whose models have D = 3.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from curvlinops import hutchinson_trace, hutchpp_trace, xtrace
from curvlinops._torch_base import PyTorchLinearOperator
from torch import Tensor

import estimators
from bench.peers.input_hessian import InputHessian, by_rows, seed_from

PACKAGE = "curvlinops 3.0.1 (Dangel and others), trace estimators"
DISTRIBUTIONS = {"rademacher": "rademacher", "gaussian": "normal"}


class _Operator(PyTorchLinearOperator):
    SELF_ADJOINT = True

    def __init__(self, hessian: InputHessian) -> None:
        self._hessian = hessian
        super().__init__([(hessian.row.shape[1],)], [(hessian.row.shape[1],)])

    @property
    def device(self) -> torch.device:
        return self._hessian.row.device

    @property
    def dtype(self) -> torch.dtype:
        return self._hessian.row.dtype

    def _matmat(self, X: list[Tensor]) -> list[Tensor]:
        return [self._hessian.columns(X[0])]


def _laplacian(trace: Callable[..., Tensor], f, x: Tensor, generator, probes: int, law: str) -> Tensor:
    if law not in DISTRIBUTIONS:
        raise ValueError(f"option law has to be one of {', '.join(DISTRIBUTIONS)} here; got {law!r}")
    with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
        torch.manual_seed(seed_from(generator))
        return by_rows(f, x, lambda hessian: trace(_Operator(hessian), probes, DISTRIBUTIONS[law]))


@estimators.register(
    "curvlinops_hutchinson", quantity="laplacian", tags=("peer", "stochastic-trace", "reverse-mode"), source=PACKAGE
)
def curvlinops_hutchinson(f, x: Tensor, *, order: int = 2, generator, probes: int = 1, law: str = "rademacher"):
    """Hutchinson's estimator of curvlinops.

    tr H ≈ (1/M) Σ_m v_mᵀ H v_m, M < D.
    """
    return _laplacian(hutchinson_trace, f, x, generator, probes, law)


@estimators.register(
    "curvlinops_hutchpp", quantity="laplacian", tags=("peer", "stochastic-trace", "variance-reduced"), source=PACKAGE
)
def curvlinops_hutchpp(f, x: Tensor, *, order: int = 2, generator, probes: int = 3, law: str = "rademacher"):
    """Hutch++ of curvlinops 3.0.1, for values alone: it changes in place what its θ-gradient needs, which then raises.

    tr H ≈ tr(QᵀHQ) + (3/M) Σ_m g_mᵀ (I − QQᵀ) H (I − QQᵀ) g_m, M < D a multiple of three.
    """
    return _laplacian(hutchpp_trace, f, x, generator, probes, law)


@estimators.register(
    "curvlinops_xtrace", quantity="laplacian", tags=("peer", "stochastic-trace", "variance-reduced"), source=PACKAGE
)
def curvlinops_xtrace(f, x: Tensor, *, order: int = 2, generator, probes: int = 4, law: str = "rademacher"):
    """XTrace of curvlinops, its bases differentiated through the QR decomposition and the inverse of R.

    tr H ≈ (2/M) Σ_i [ tr(Q_iᵀ H Q_i) + w_iᵀ (I − Q_iQ_iᵀ) H (I − Q_iQ_iᵀ) w_i ], M < D even.
    """
    return _laplacian(xtrace, f, x, generator, probes, law)
