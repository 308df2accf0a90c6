"""A step predicted on fake tensors: shapes and lifetimes are real, no arithmetic is done.

So a step can be predicted that this machine could never hold: its peak memory, and what its time follows from: FLOPs,
bytes moved and operations launched. What the prediction cannot see is memory that a kernel takes for itself while it
runs. Where control flow depends on data there is no prediction, and the reason is given.
"""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
    UnsupportedOperatorException,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from bench.meters.linear_algebra import LINEAR_ALGEBRA
from bench.meters.subject import Subject
from bench.problems.problem import Problem

CUDA_BLOCK_BYTES = 512  # CUDA's caching allocator rounds every request up to a multiple of this
TOO_LONG = "tracing takes more than"


class Unpredictable(Exception):
    """The step cannot run without data; the message says why."""


@dataclass(frozen=True)
class Prediction:
    """What one step will need.

    Attributes:
        peak_bytes: the allocator's peak above what model and data hold.
        flops: floating-point operations of matrix products, convolutions and attention.
        moved_bytes: bytes that the operations read and write, views left out.
        operations: how many operations are launched, views left out.
        resident_bytes: what model and data hold all along.
    """

    peak_bytes: int
    flops: int
    moved_bytes: int
    operations: int
    resident_bytes: int = 0


class Tracking(TorchDispatchMode):
    """Follows every storage from the operation that makes it until it is released, and adds up the work.

    Its clock is the processor's, from its making: what else runs, and what was done before, does not count.
    """

    def __init__(self, block_bytes: int, limit_s: float = math.inf) -> None:
        super().__init__()
        self.block_bytes = block_bytes
        self.limit_s, self.until_s = limit_s, time.process_time() + limit_s
        self.held = self.peak = 0
        self.flops = self.moved = self.operations = 0
        self._known: dict[int, weakref.ref[Any]] = {}

    def ignore(self, tensor: Tensor) -> None:
        """Leave a storage that was there before out of the account."""
        storage = tensor.untyped_storage()
        self._known[storage._cdata] = weakref.ref(storage)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if time.process_time() > self.until_s:
            raise Unpredictable(f"{TOO_LONG} {self.limit_s:g} s of the processor")
        out = func(*args, **kwargs)
        if func is torch.ops.prim.device.default:  # fake tensors are asked for their device before every operation
            return out
        outputs = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        for leaf in outputs:
            self._account(leaf.untyped_storage())
        if not func.is_view:
            inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
            self.operations += 1
            self.moved += sum(t.numel() * t.element_size() for t in (*inputs, *outputs))
            count = flop_registry.get(func._overloadpacket) or LINEAR_ALGEBRA.get(func._overloadpacket)
            if count is not None:
                self.flops += int(count(*args, **kwargs, out_val=out))
        return out

    def _account(self, storage: torch.UntypedStorage) -> None:
        handle = storage._cdata
        if handle in self._known:
            return
        size = -(-storage.nbytes() // self.block_bytes) * self.block_bytes
        self.held += size
        self.peak = max(self.peak, self.held)

        def released(_: Any, handle: int = handle, size: int = size) -> None:
            self._known.pop(handle, None)
            self.held -= size

        self._known[handle] = weakref.ref(storage, released)


def predict(
    subject: Subject, make_generator: Callable[[], torch.Generator], cuda: bool = False, limit_s: float = math.inf
) -> Prediction:
    """One step of a subject, predicted.

    Args:
        subject: the estimator on a problem on the CPU; its model is changed, so this needs a process of its own.
        make_generator: makes a generator for the probes.
        cuda: model the block rounding of CUDA's caching allocator.
        limit_s: what the step's tracing may take, seconds of the processor.

    Raises:
        Unpredictable: control flow depends on data, an operation has no fake version, or tracing takes too long.
    """
    mode = FakeTensorMode()
    problem = _fake(subject.problem, mode)
    with mode:
        tracking = Tracking(CUDA_BLOCK_BYTES if cuda else 1, limit_s)
        kept = (problem.x, problem.v, *problem.parameters, *problem.model.buffers())
        for tensor in kept:
            tracking.ignore(tensor)
        try:
            with tracking:
                result = Subject(subject.estimator, problem, subject.order, subject.options).step(make_generator())
                del result
        except (DataDependentOutputException, DynamicOutputShapeException) as error:
            raise Unpredictable(f"control flow depends on data: {error}") from error
        except (UnsupportedOperatorException, NotImplementedError) as error:
            raise Unpredictable(f"no fake version: {error}") from error
        except RuntimeError as error:
            raise Unpredictable(f"fails on fake tensors: {str(error).splitlines()[0]}") from error
    resident = sum({t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in kept}.values())
    return Prediction(tracking.peak, tracking.flops, tracking.moved, tracking.operations, resident)


def _fake(problem: Problem, mode: FakeTensorMode) -> Problem:
    """The same problem on fake tensors; its model is changed in place."""
    for module in problem.model.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter is not None:
                module._parameters[name] = nn.Parameter(mode.from_tensor(parameter.detach()), parameter.requires_grad)
        for name, buffer in list(module._buffers.items()):
            if buffer is not None:
                module._buffers[name] = mode.from_tensor(buffer)
    return Problem(problem.spec, problem.model, mode.from_tensor(problem.x), mode.from_tensor(problem.v))
