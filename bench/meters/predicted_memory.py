"""The peak memory of a step, predicted on fake tensors: shapes and lifetimes are real, no arithmetic is done.

So a step can be predicted that this machine could never hold. What the prediction cannot see is memory that a kernel
takes for itself while it runs. Where control flow depends on data there is no prediction, and the reason is given.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
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

from bench.meters.subject import Subject
from bench.problems.problem import Problem

CUDA_BLOCK_BYTES = 512  # CUDA's caching allocator rounds every request up to a multiple of this


class Unpredictable(Exception):
    """The step cannot run without data; the message says why."""


class _Tracking(TorchDispatchMode):
    """Follows every storage from the operation that makes it until it is released."""

    def __init__(self, block_bytes: int) -> None:
        super().__init__()
        self.block_bytes = block_bytes
        self.held = self.peak = 0
        self._known: dict[int, weakref.ref[Any]] = {}

    def ignore(self, tensor: Tensor) -> None:
        """Leave a storage that was there before out of the account."""
        storage = tensor.untyped_storage()
        self._known[storage._cdata] = weakref.ref(storage)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self._account(leaf.untyped_storage())
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


def predicted_peak_bytes(subject: Subject, make_generator: Callable[[], torch.Generator]) -> int:
    """The peak of one step above what model and data hold, in bytes.

    Raises:
        Unpredictable: control flow depends on data, or an operation has no fake version.
    """
    cuda = subject.problem.x.device.type == "cuda"
    mode = FakeTensorMode()
    problem = _fake(subject.problem, mode)
    with mode:
        tracking = _Tracking(CUDA_BLOCK_BYTES if cuda else 1)
        for tensor in (problem.x, problem.v, *problem.parameters, *problem.model.buffers()):
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
    return tracking.peak


def _fake(problem: Problem, mode: FakeTensorMode) -> Problem:
    """The same problem on fake tensors; its model is changed in place, so this needs a process of its own."""
    for module in problem.model.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter is not None:
                module._parameters[name] = nn.Parameter(mode.from_tensor(parameter.detach()), parameter.requires_grad)
        for name, buffer in list(module._buffers.items()):
            if buffer is not None:
                module._buffers[name] = mode.from_tensor(buffer)
    return Problem(problem.spec, problem.model, mode.from_tensor(problem.x), mode.from_tensor(problem.v))
