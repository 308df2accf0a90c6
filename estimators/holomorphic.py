"""Evaluating a real network at complex points: its holomorphic continuation, or a refusal where there is none.

Complex steps and contours need f at x + i h v. Torch's layers refuse complex points with real weights, and a few
operations accept complex numbers but are not holomorphic there (``abs`` and norms), which would be silently wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode, resolve_name

NOT_HOLOMORPHIC = frozenset(
    {
        torch.abs,
        torch.absolute,
        torch.angle,
        torch.conj,
        torch.norm,
        torch.linalg.norm,
        torch.linalg.vector_norm,
        torch.linalg.matrix_norm,
        torch.real,
        torch.imag,
        torch.sgn,
        torch.nn.functional.normalize,
        Tensor.abs,
        Tensor.absolute,
        Tensor.__abs__,
        Tensor.conj,
        Tensor.norm,
        Tensor.sgn,
        Tensor.real.__get__,  # type: ignore[attr-defined]
        Tensor.imag.__get__,  # type: ignore[attr-defined]
    }
)


def continued(f: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The function f on complex points.

    Raises:
        NotImplementedError: on an operation without a holomorphic continuation in torch; the message names it.
    """

    def evaluate(z: Tensor) -> Tensor:
        with _Continuation():
            return f(z)

    return evaluate


def complex_points(real: Tensor, imaginary: Tensor) -> Tensor:
    """The points real + i·imaginary.

    Raises:
        NotImplementedError: torch has no complex numbers of that precision.
    """
    if real.dtype not in (torch.float32, torch.float64):
        raise NotImplementedError(f"complex points need float32 or float64; torch has no complex {real.dtype}")
    return torch.complex(real, imaginary)


def complex_step_length(dtype: torch.dtype) -> float:
    """An imaginary step whose square vanishes beside one, and which times a small derivative does not underflow."""
    return 1e-30 if dtype == torch.float64 else 1e-12


def softplus(z: Tensor, beta: float = 1, threshold: float = 20) -> Tensor:
    """log(1 + e^(βz))/β, without overflow on either side; ``threshold`` is the real function's, and not needed."""
    w = beta * z
    right = w.real > 0
    small = torch.exp(torch.where(right, -w, w))
    return (torch.where(right, w, torch.zeros_like(w)) + torch.log(1 + small)) / beta


def silu(z: Tensor, inplace: bool = False) -> Tensor:
    """The continuation of z σ(z)."""
    return z * torch.sigmoid(z)


def gelu(z: Tensor, approximate: str = "none") -> Tensor:
    """GELU's tanh form; its exact form needs erf, which torch has for real numbers alone."""
    if approximate != "tanh":
        raise NotImplementedError("gelu has no holomorphic continuation in torch: erf takes real numbers only")
    return 0.5 * z * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (z + 0.044715 * z**3)))


CONTINUATIONS: dict[Any, Callable[..., Tensor]] = {F.softplus: softplus, F.silu: silu, F.gelu: gelu}


class _Continuation(TorchFunctionMode):
    """Promotes real tensors that meet complex ones, and replaces or refuses what torch has for real numbers only."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        dtype = _complex_dtype((args, kwargs))
        if dtype is None:
            return func(*args, **kwargs)
        if func in NOT_HOLOMORPHIC:
            raise NotImplementedError(f"{_name(func)} is not holomorphic: no complex step through it")
        if func in CONTINUATIONS:
            return CONTINUATIONS[func](*args, **kwargs)
        try:
            return func(*_promote(args, dtype), **_promote(kwargs, dtype))
        except RuntimeError as error:
            raise NotImplementedError(f"{_name(func)} takes no complex points: {str(error).splitlines()[0]}") from error


def _complex_dtype(values: Any) -> torch.dtype | None:
    if isinstance(values, Tensor):
        return values.dtype if values.is_complex() else None
    if isinstance(values, dict):
        values = tuple(values.values())
    if not isinstance(values, (tuple, list)):
        return None
    return next((found for value in values if (found := _complex_dtype(value)) is not None), None)


def _promote(values: Any, dtype: torch.dtype) -> Any:
    if isinstance(values, Tensor):
        return values.to(dtype) if values.is_floating_point() else values
    if isinstance(values, (tuple, list)):
        return type(values)(_promote(value, dtype) for value in values)
    if isinstance(values, dict):
        return {key: _promote(value, dtype) for key, value in values.items()}
    return values


def _name(func: Any) -> str:
    return resolve_name(func) or getattr(func, "__name__", str(func))
