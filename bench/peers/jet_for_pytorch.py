"""jet-for-pytorch's Laplacians, collapsed and standard Taylor mode, as its documentation uses them: vmapped over rows.

The function is traced once a model and shape, as a user would, and not timed again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import jet
import torch
from torch import Tensor

import estimators

SOURCE = "Dangel, Siebert, Zeinhofer, Walther (2025), Collapsing Taylor Mode Automatic Differentiation, NeurIPS"

_traced: WeakKeyDictionary[Any, dict[tuple[Any, ...], Callable[[Tensor], Tensor]]] = WeakKeyDictionary()


def _laplacian(f: Any, x: Tensor, collapsed: bool) -> Tensor:
    owner = getattr(f.f, "__self__", f.f)
    which = (collapsed, x.shape[1], x.dtype, x.device)
    known = _traced.setdefault(owner, {})
    if which not in known:
        row = torch.zeros_like(x[0])
        traced = jet.laplacian(lambda y: f(y.unsqueeze(0)).squeeze(0), (row,), collapsed=collapsed)
        known[which] = torch.func.vmap(traced)
    return known[which](x)


@estimators.register("jet_laplacian", quantity="laplacian", tags=("peer", "taylor-mode"), source=SOURCE)
def jet_laplacian(f, x: Tensor, *, order: int = 2) -> Tensor:
    """The exact Laplacian by collapsed Taylor mode of jet-for-pytorch.

    Δf = 2 Σ_i c₂^(i) along all coordinates, the top coefficients carried as their sum.
    """
    return _laplacian(f, x, collapsed=True)


@estimators.register("jet_laplacian_standard", quantity="laplacian", tags=("peer", "taylor-mode"), source=SOURCE)
def jet_laplacian_standard(f, x: Tensor, *, order: int = 2) -> Tensor:
    """The exact Laplacian by standard Taylor mode of jet-for-pytorch.

    Δf = 2 Σ_i c₂^(i) along all coordinates, each with its own top coefficient.
    """
    return _laplacian(f, x, collapsed=False)
