"""Whether a model is a fixed function of one row: what every estimator takes for granted, and some layers are not.

Dropout draws anew at every call, so that a finite difference of two calls is its noise over a step; batch norm in
training mode makes a row's value depend on the others, and an estimator that concatenates its points gets other values;
spectral norm in training mode moves at every call.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.nn.utils.spectral_norm import SpectralNorm

from bench.problems import registry
from bench.problems.problem import Problem

ROWS = 8
TOLERANCE = 1e4  # times the dtype's ε: kernels round differently for different numbers of rows
REPEATED = 16  # times the dtype's ε: on a GPU, sums by atomic operations come in any order


def check(problem: Problem) -> None:
    """Refuse a third party's model that is no fixed function of one row. Three calls on eight rows; nothing changes.

    Built-in families are not asked: a test holds them to it.

    Raises:
        NotImplementedError: naming what differs, and the layers that may be why.
    """
    if registry.model(problem.spec.model).origin != "bench" and (why := why_not(problem.model, problem.x[:ROWS])):
        raise NotImplementedError(f"not a fixed function of one row: {why}")


def why_not(model: nn.Module, x: Tensor) -> str:
    """What shows that the model is no fixed function of one row, or nothing.

    Two calls on the same rows, and one on half of them in reverse. Buffers and the global random states are as before
    afterwards.
    """
    function: Any = model.log_density if hasattr(model, "log_density") else model.score
    buffers = {name: (buffer, buffer.clone()) for name, buffer in model.named_buffers()}
    with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
        try:
            first, second = function(x).detach(), function(x).detach()
            half = function(x[: (len(x) + 1) // 2].flip(0)).detach().flip(0)
            moved = [name for name, (buffer, before) in buffers.items() if not torch.equal(buffer, before)]
        finally:
            with torch.no_grad():
                for buffer, before in buffers.values():
                    buffer.copy_(before)
    finite = first[first.isfinite()]
    scale = (float(finite.abs().max()) if len(finite) else 0.0) + torch.finfo(x.dtype).tiny
    repeated, apart = _distance(first, second) / scale, _distance(first[: len(half)], half) / scale
    suspects = ", ".join(_suspects(model))
    suspects = f" (in training mode: {suspects}; call .eval() on the model where it is built)" if suspects else ""
    if repeated > REPEATED * torch.finfo(x.dtype).eps:
        return f"two calls on the same rows differ by {repeated:.1e}{suspects}"
    if apart > min(TOLERANCE * torch.finfo(x.dtype).eps, 0.05):
        return f"a row's value changes by {apart:.1e} with the rows beside it{suspects}"
    if moved:
        return f"a call changes buffer {', '.join(moved)}{suspects}"
    return ""


def _distance(a: Tensor, b: Tensor) -> float:
    """The largest |a − b|; values that are not finite, which are an outcome of their own, are equal to their like."""
    alike = (a == b) | (a.isnan() & b.isnan())
    return float(torch.where(alike, 0.0, (a - b).abs().nan_to_num(torch.inf)).max())


def _suspects(model: nn.Module) -> Iterator[str]:
    for name, module in model.named_modules():
        if not module.training:
            continue
        if isinstance(module, (_DropoutNd, _BatchNorm, _SpectralNorm)):
            yield f"{name} ({type(module).__name__.removeprefix('_')})"
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, SpectralNorm):
                yield f"{name} (SpectralNorm)"


def fused_layer_norms(model: nn.Module) -> list[str]:
    """Names of the ``nn.LayerNorm`` modules, through which torch 2.13 gets θ-gradients of a Laplacian wrong.

    Silently, by 4 to 30 % on the nets tried (pytorch issue 175754). A layer norm of plain operations is right.
    """
    return [name for name, module in model.named_modules() if isinstance(module, nn.LayerNorm)]
