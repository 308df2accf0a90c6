"""skerch's trace estimators on the Hessian in the input: Hutchinson and its exchangeable Hutch++, row by row.

Its sketches take a seed of their own, drawn here from the generator for every row. The exchangeable one inverts the
sketch's R and raises where two probes are parallel, as rademacher ones often are in three dimensions.
"""

from __future__ import annotations

import torch
from skerch.algorithms import hutch, xhutchpp
from torch import Tensor

import estimators
from bench.peers.input_hessian import InputHessian, by_rows, seed_from

PACKAGE = "skerch 1.2.0, sketched matrix decompositions for PyTorch"


class _Operator:
    """The Hessian as skerch wants an operator: a shape, and products from both sides."""

    def __init__(self, hessian: InputHessian) -> None:
        self.hessian = hessian
        self.shape = (hessian.row.shape[1], hessian.row.shape[1])

    def __matmul__(self, vectors: Tensor) -> Tensor:
        return self.hessian.columns(vectors) if vectors.ndim == 2 else self.hessian.columns(vectors[:, None])[:, 0]

    def __rmatmul__(self, vectors: Tensor) -> Tensor:
        return (self @ vectors.mT).mT if vectors.ndim == 2 else self @ vectors  # H is symmetric


@estimators.register(
    "skerch_hutch", quantity="laplacian", tags=("peer", "stochastic-trace", "reverse-mode"), source=PACKAGE
)
def skerch_hutch(f, x: Tensor, *, order: int = 2, generator: torch.Generator, probes: int = 1):
    """Hutchinson's estimator of skerch, with rademacher probes.

    tr H ≈ (1/M) Σ_m v_mᵀ H v_m.
    """

    def trace(hessian: InputHessian) -> Tensor:
        keywords = {"seed": seed_from(generator), "return_diag": False}
        return hutch(_Operator(hessian), x.device, x.dtype, probes, **keywords)["tr"]

    return by_rows(f, x, trace)


@estimators.register(
    "skerch_xhutchpp", quantity="laplacian", tags=("peer", "stochastic-trace", "variance-reduced"), source=PACKAGE
)
def skerch_xhutchpp(f, x: Tensor, *, order: int = 2, generator: torch.Generator, probes: int = 4):
    """The exchangeable Hutch++ of skerch (XTrace), half of the products for the sketch and half for its test.

    tr H ≈ the leave-one-out mean over k = M/2 probes of tr(Q_iᵀ H Q_i) + w_iᵀ (I − Q_iQ_iᵀ) H w_i, M even.
    """
    if probes % 2:
        raise ValueError(f"option probes of skerch_xhutchpp has to be even; got {probes}")

    def trace(hessian: InputHessian) -> Tensor:
        keywords = {"x_dims": probes // 2, "seed": seed_from(generator), "return_diag": False}
        return xhutchpp(_Operator(hessian), x.device, x.dtype, **keywords)["tr"]

    return by_rows(f, x, trace)
