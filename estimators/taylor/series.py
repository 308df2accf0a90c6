"""The truncated Taylor series type: ordinary PyTorch functions run on it through ``__torch_function__``.

A plain class, not a Tensor subclass: it carries no storage of its own to keep in step, and a dispatch costs 2 µs. A
function that asks ``isinstance(x, torch.Tensor)`` therefore hears no.
All coefficients lie in one tensor of rows, so that a linear map is one call (one GEMM) for the whole series.
"""

# ruff: noqa: D102 (tensor methods and properties mean what they mean for tensors)

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from estimators.taylor.frame import Coefficients, Frame

_KINDS = ("is_nested", "is_sparse", "is_quantized", "is_meta", "is_cpu", "is_mps", "is_xpu", "layout", "is_leaf")
_rules: dict[Callable[..., Any], Callable[..., Any]] = {}


def rule(*operations: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make the decorated function the Taylor rule of these torch functions and ``torch.Tensor`` methods.

    It gets the operation's own arguments, with a `Series` where the operation had a tensor, and returns a `Series`, or
    a plain tensor where the result does not depend on the series (a shape, a comparison).
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for operation in operations:
            _rules[operation] = function
        return function

    return decorate


def rules() -> tuple[str, ...]:
    """The names of all operations that have a rule, sorted."""
    return tuple(sorted({_operation_name(operation) for operation in _rules}))


class Series:
    """Σ_k c_k t^k, truncated at the order of its frame.

    Attributes:
        rows: all coefficients that are not structural zeros, by rising order, (N, *shape).
        frame: the pass it belongs to.
        present: for every order 0 … K, whether its coefficient is carried (None stands for structural zeros).
    """

    __slots__ = ("frame", "present", "rows")

    def __init__(self, rows: Tensor, frame: Frame, present: tuple[bool, ...]) -> None:
        self.rows, self.frame, self.present = rows, frame, present

    @classmethod
    def from_coefficients(cls, coefficients: Sequence[Tensor | None], frame: Frame) -> Series:
        """Pack coefficients (count, *shape), one an order, None for a structural zero; they may need broadcasting."""
        shape = torch.broadcast_shapes(*(c.shape[1:] for c in coefficients if c is not None))
        rows = [c.expand(frame.count(k), *shape) for k, c in enumerate(coefficients) if c is not None]
        return cls(torch.cat(rows) if len(rows) > 1 else rows[0], frame, tuple(c is not None for c in coefficients))

    @property
    def coefficients(self) -> Coefficients:
        """Views of the rows, one an order, (count, *shape), None for a structural zero."""
        rows = self.rows  # first: materialising them may settle how many directions the frame has
        views = iter(rows.split_with_sizes([self.frame.count(k) for k, present in enumerate(self.present) if present]))
        return [next(views) if present else None for present in self.present]

    def coefficient(self, k: int) -> Tensor:
        """The coefficient of order k, (count, *shape); zeros where it is structural, differentiable as the rest is."""
        c = self.coefficients[k]
        if c is not None:
            return c
        return self.rows.new_zeros(self.frame.count(k), *self.shape) + self.rows[:0].sum()

    @property
    def value(self) -> Tensor:
        """c_0, of the series' own shape."""
        return self.rows[0]

    def map(self, linear: Callable[[Tensor], Tensor]) -> Series:
        """Apply a linear map to all rows at once."""
        return Series(linear(self.rows), self.frame, self.present)

    def map_features(self, linear: Callable[[Any], Any]) -> Series:
        """Apply a linear map that acts on the last dimension alone, alike for all points."""
        return self.map(linear)

    # What a tensor says about itself -----------------------------------------------------------------------------

    @property
    def shape(self) -> torch.Size:
        return self.rows.shape[1:]

    @property
    def ndim(self) -> int:
        return self.rows.ndim - 1

    @property
    def dtype(self) -> torch.dtype:
        return self.rows.dtype

    @property
    def device(self) -> torch.device:
        return self.rows.device

    @property
    def requires_grad(self) -> bool:
        return self.rows.requires_grad

    @property
    def is_cuda(self) -> bool:
        return self.rows.is_cuda

    @property
    def T(self) -> Series:
        return _call(Tensor.t, (self,), {})

    @property
    def mT(self) -> Series:
        return _call(torch.transpose, (self, -2, -1), {})

    def size(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self.shape[dim]

    def dim(self) -> int:
        return self.ndim

    def numel(self) -> int:
        return self.shape.numel()

    def is_floating_point(self) -> bool:
        return self.rows.is_floating_point()

    def is_complex(self) -> bool:
        return self.rows.is_complex()

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        raise NotImplementedError("Taylor series: control flow on a value of the function has no rule; use torch.where")

    def __repr__(self) -> str:
        return f"Series(order={self.frame.order}, directions={self.frame.directions}, shape={tuple(self.shape)})"

    # What a tensor does ------------------------------------------------------------------------------------------

    @classmethod
    def __torch_function__(cls, operation, types, args=(), kwargs=None):
        return _call(operation, args, kwargs or {})

    def __getattr__(self, name: str) -> Any:
        if name in _KINDS:
            return getattr(self.rows, name)
        method = getattr(Tensor, name, None)
        if method is None or not callable(method):
            raise AttributeError(f"a Taylor series has no attribute {name!r}")
        return lambda *args, **kwargs: _call(method, (self, *args), kwargs)

    def __getitem__(self, index):
        return _call(Tensor.__getitem__, (self, index), {})

    def __add__(self, other):
        return _call(torch.add, (self, other), {})

    def __radd__(self, other):
        return _call(torch.add, (self, other), {})

    def __sub__(self, other):
        return _call(torch.sub, (self, other), {})

    def __rsub__(self, other):
        return _call(torch.sub, (other, self), {})

    def __mul__(self, other):
        return _call(torch.mul, (self, other), {})

    def __rmul__(self, other):
        return _call(torch.mul, (other, self), {})

    def __truediv__(self, other):
        return _call(torch.div, (self, other), {})

    def __rtruediv__(self, other):
        return _call(torch.div, (other, self), {})

    def __pow__(self, other):
        return _call(torch.pow, (self, other), {})

    def __rpow__(self, other):
        return _call(torch.pow, (other, self), {})

    def __matmul__(self, other):
        return _call(torch.matmul, (self, other), {})

    def __rmatmul__(self, other):
        return _call(torch.matmul, (other, self), {})

    def __neg__(self):
        return _call(torch.neg, (self,), {})

    def __abs__(self):
        return _call(torch.abs, (self,), {})

    def __mod__(self, other):
        return _call(torch.remainder, (self, other), {})

    def __floordiv__(self, other):
        return _call(torch.floor_divide, (self, other), {})

    def __setitem__(self, index, item):
        raise unsupported(Tensor.__setitem__, "it changes its argument; use torch.cat, torch.stack or torch.where")

    __hash__ = object.__hash__

    def __eq__(self, other):
        return _call(torch.eq, (self, other), {})

    def __ne__(self, other):
        return _call(torch.ne, (self, other), {})

    def __lt__(self, other):
        return _call(torch.lt, (self, other), {})

    def __le__(self, other):
        return _call(torch.le, (self, other), {})

    def __gt__(self, other):
        return _call(torch.gt, (self, other), {})

    def __ge__(self, other):
        return _call(torch.ge, (self, other), {})


def frame_of(*arguments: Any) -> Frame:
    """The innermost frame among the arguments: the pass that the operation belongs to."""
    frames = [a.frame for a in arguments if isinstance(a, Series)]
    if not frames:
        raise NotImplementedError("Taylor series: no series among the tensors that this rule can take as one")
    return max(frames, key=lambda frame: frame.level)


def belongs(argument: Any, frame: Frame) -> bool:
    """Whether the argument is a series of this pass; series of outer passes are constants to it."""
    return isinstance(argument, Series) and argument.frame is frame


def unsupported(operation: Any, detail: str = "") -> NotImplementedError:
    """The error for an operation without a rule; it names the operation and says how to add one."""
    name = operation if isinstance(operation, str) else _operation_name(operation)
    return NotImplementedError(
        f"no Taylor rule for {name}{detail and ': ' + detail}; add one with "
        f"@estimators.taylor.rule({name}) on a function that takes its arguments and returns a Series"
    )


def _call(operation: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    found = _rules.get(operation)
    if found is None:
        raise unsupported(operation)
    return found(*args, **kwargs)


def _operation_name(operation: Any) -> str:
    return torch.overrides.resolve_name(operation) or getattr(operation, "__name__", repr(operation))
