"""A function at displaced points: all in one batch, or one displacement at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def at_displaced(f: Callable[[Tensor], Tensor], blocks: Sequence[Tensor], batched: bool) -> Tensor:
    """Values at every point of the blocks, each (K, B, D), one after the other: (ΣK, B), or (ΣK, B, D) of a field.

    Args:
        f: (B, D) to (B,) or (B, D).
        blocks: displaced copies of the points.
        batched: one evaluation of all, or one of each displacement, which needs less memory at a time.
    """
    if batched:
        points = torch.cat(tuple(blocks))
        return f(points.flatten(0, 1)).unflatten(0, points.shape[:2])
    return torch.stack([f(points) for block in blocks for points in block])
