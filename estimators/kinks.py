"""Refusing layers whose operations have kinks, before anything is differentiated twice through them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_KINKED = frozenset(
    (
        *("Relu", "LeakyRelu", "PreluKernel", "RreluWithNoise", "Threshold", "Elu", "Hardtanh", "Hardswish"),
        *("Hardsigmoid", "Hardshrink", "Softshrink", "Abs", "Sign", "Round", "Floor", "Ceil", "Trunc", "Sort"),
        *("Clamp", "ClampMin", "ClampMax", "Maximum", "Minimum", "Max", "Min", "Amax", "Amin", "Fmax", "Fmin"),
        *("Median", "Topk", "Celu"),
        *("MaxPool2DWithIndices", "MaxPool3DWithIndices", "AdaptiveMaxPool2D", "AdaptiveMaxPool3D"),
    )
)  # the nodes that autograd records for them, without Backward and a number


def refuse_kinks(model: Any, x: Tensor, z: Tensor) -> None:
    """Refuse a layer whose operations have kinks: its fixed point has no second derivative in x there.

    Found on the graph of one application, at the first row.

    Raises:
        NotImplementedError: naming the operations.
    """
    with torch.enable_grad():
        y = model.layer(z[:1].detach().requires_grad_(True), x[:1].detach().requires_grad_(True))
    found: set[str] = set()
    seen: set[Any] = set()
    waiting = [y.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        operation = node.name().rstrip("0123456789").removesuffix("Backward")
        if operation in _KINKED:
            found.add(operation)
        waiting.extend(parent for parent, _ in node.next_functions)
    if found:
        raise NotImplementedError(
            f"the equilibrium layer has kinks ({', '.join(sorted(found))}): the fixed point has no second derivative "
            "there, and a trace by differentiation misses what happens at them; use softplus, tanh, silu or gelu"
        )
