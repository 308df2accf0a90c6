"""Floating-point operations of one call, by torch's own registry of what each operation costs; linear algebra besides.

torch's counting mode tracks modules through hooks in the autograd engine and fails under ``torch.autograd.grad`` on a
leaf; a dispatch mode that only consults the registry does not. Pointwise operations count as zero, as they do there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from bench.meters.linear_algebra import LINEAR_ALGEBRA


class _Counting(TorchDispatchMode):
    """Adds up the operations that pass."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        rule = flop_registry.get(func._overloadpacket) or LINEAR_ALGEBRA.get(func._overloadpacket)
        if rule is None and func._can_decompose():
            with self:
                decomposed = func.decompose(*args, **kwargs)
            if decomposed is not NotImplemented:
                return decomposed
        out = func(*args, **kwargs)
        if rule is not None:
            self.flops += int(rule(*args, **kwargs, out_val=out))
        return out


def count(call: Callable[[], Any]) -> int:
    """How many floating-point operations ``call`` does in matrix products, convolutions, attention, factorisations."""
    with _Counting() as counting:
        call()
    return counting.flops
