"""The smallest protocols estimators work on, and how a user's model is brought into them.

===================== ============================================================================================
``function``          any f mapping (B, D) to (B,), row by row
``score``             a vector field s mapping (B, D) to (B, D); taken from ``model.score`` or as ∇ of the log-density;
                      ``score(x, sigma)``, sigma (B, 1), if it is noise-conditional: objectives that anneal tell it
``layers``            an ``nn.Sequential`` of affine and pointwise layers with one output, or an object whose
                      ``layers`` is one
``conditional_scores`` ``context(x) -> (B, D, C)``, row d seeing only x before d, and
                      ``conditional_score(context, x) -> (B, D)``
``equilibrium``       ``initial(x) -> z``, ``layer(z, x) -> z``, ``head(z, x) -> (B,)``
``flow``              ``log_density(x, constant_log_dets=True) -> (B,)``; without them, up to a constant in x
``residual``          ``residual(x, laplacian) -> (B, R)``, what an equation leaves over; affine in what
                      ``laplacian(f, x) -> (B,)``, which the estimator hands it, returns for an f of (B, D) to (B,)
===================== ============================================================================================

Layers are told by what they are. Affine: ``nn.Linear``, or a module whose attribute ``jacobian`` is a tensor, (out,
in), or (width,) for a diagonal one. Pointwise: an activation of ``torch.nn``, or a module whose attribute ``pointwise``
is true. A *skip*, a module whose attribute ``skip`` is true, adds the layers of its ``nn.Sequential`` ``block``, run on
the entries ``source`` of its input, to the entries ``target``: two slices, all entries if absent. A residual block x +
block(x) has neither; an additive coupling has two that do not overlap.

A model is an object with ``log_density(x) -> (B,)``, or ``score(x) -> (B, D)``, or both. A plain callable, or an
``nn.Sequential`` that ends in one output, is taken as a log-density. Derivatives in x do not see what is constant in x:
for them a flow's log-density is taken without its constant log-determinants, which are a likelihood's alone to pay for.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

NEEDS = ("function", "score", "layers", "conditional_scores", "equilibrium", "flow", "residual")

_METHODS = {
    "conditional_scores": ("context", "conditional_score"),
    "equilibrium": ("initial", "layer", "head"),
    "flow": ("log_density",),
    "residual": ("residual",),
}


def adapt(model: Any, needs: str, up_to_constant: bool = True) -> Any:
    """Bring ``model`` into the protocol ``needs``.

    Args:
        model: a model, or a plain callable.
        needs: one of ``NEEDS``.
        up_to_constant: whether an additive constant in x may be left out of a log-density, as for its derivatives.

    Raises:
        NotImplementedError: the model does not offer it.
    """
    if needs == "function":
        return as_function(model, up_to_constant)
    if needs == "score":
        return as_score(model)
    if needs == "layers":
        return as_layers(model)
    missing = [name for name in _METHODS[needs] if not callable(getattr(model, name, None))]
    if missing:
        raise NotImplementedError(f"needs {needs}: {_name(model)} has no {' and no '.join(missing)}")
    if needs == "flow" and not _is_flow(model):
        raise NotImplementedError(f"needs flow: log_density of {_name(model)} takes no constant_log_dets")
    return model


def as_function(model: Any, up_to_constant: bool = True) -> Callable[[Tensor], Tensor]:
    """The log-density (or any f) as a function of (B, D) whose values are checked to be (B,).

    A flow's is taken without its constant log-determinants if it may be off by a constant.

    Raises:
        NotImplementedError: the model is neither callable nor has ``log_density``.
    """
    log_density = getattr(model, "log_density", None)
    if log_density is not None:
        skips = up_to_constant and _is_flow(model)
        return _Checked(functools.partial(log_density, constant_log_dets=False) if skips else log_density)
    if isinstance(model, nn.Sequential):
        return _Checked(model, squeeze=True)
    if hasattr(model, "score") or not callable(model):
        raise NotImplementedError(f"needs function: {_name(model)} has no log_density and is not a function")
    return model if isinstance(model, _Checked) else _Checked(model)


def as_score(model: Any) -> Callable[[Tensor], Tensor]:
    """The score s = ∇ log p as a vector field, (B, D) to (B, D).

    Taken from ``model.score`` where there is one, else by one reverse pass through the log-density; the points handed
    to the result then need not require gradients, and its values are differentiable in them and in θ while gradients
    are enabled.

    Raises:
        NotImplementedError: the model has neither ``score`` nor a log-density.
    """
    score = getattr(model, "score", None)
    return _CheckedScore(score) if score is not None else _GradientScore(as_function(model))


def as_layers(model: Any) -> nn.Sequential:
    """The layers of a sequential model.

    Raises:
        NotImplementedError: the model is no ``nn.Sequential`` and has none called ``layers``, or that one's class has a
            ``forward`` of its own.
    """
    layers = model if isinstance(model, nn.Sequential) else getattr(model, "layers", None)
    if not isinstance(layers, nn.Sequential):
        raise NotImplementedError(f"needs layers: {_name(model)} is no nn.Sequential and has none called layers")
    if not is_plain(layers):
        raise NotImplementedError(f"needs layers: {_name(layers)} is an nn.Sequential with a forward of its own")
    return layers


def is_plain(layer: nn.Module, kind: type[nn.Module] = nn.Sequential) -> bool:
    """Whether a module runs as its ``kind`` does: a subclass, or an instance, may have a ``forward`` of its own."""
    return getattr(layer.forward, "__func__", None) is kind.forward


def leaf(x: Tensor) -> Tensor:
    """The points if they require gradients already (which then flow on into their history), else a detached leaf."""
    return x if x.requires_grad else x.detach().requires_grad_(True)


class _Checked:
    """f with its result's shape checked: a (B, 1) result would broadcast to (B, B) without a word."""

    def __init__(self, f: Callable[[Tensor], Tensor], squeeze: bool = False) -> None:
        self.f, self.squeeze = f, squeeze

    def __call__(self, x: Tensor) -> Tensor:
        y = self.f(x)
        if self.squeeze and tuple(y.shape) == (*x.shape[:-1], 1):
            return y.squeeze(-1)
        if tuple(y.shape) != tuple(x.shape[:-1]):
            raise ValueError(
                f"f has to map {tuple(x.shape)} to {tuple(x.shape[:-1])}, one value a row; it returned {tuple(y.shape)}"
            )
        return y


class _CheckedScore:
    """A vector field with its result's shape checked; a noise-conditional one, s(x, sigma), is told the level."""

    def __init__(self, s: Callable[..., Tensor]) -> None:
        self.s, self.conditional = s, _takes(s, "sigma")

    def __call__(self, x: Tensor, sigma: Tensor | None = None) -> Tensor:
        y = self.s(x, sigma) if self.conditional and sigma is not None else self.s(x)
        if tuple(y.shape) != tuple(x.shape):
            raise ValueError(f"score has to map {tuple(x.shape)} to the same shape; it returned {tuple(y.shape)}")
        return y


class _GradientScore:
    """∇f by one reverse pass, differentiable while gradients are enabled."""

    def __init__(self, f: Callable[[Tensor], Tensor]) -> None:
        self.f = f

    def __call__(self, x: Tensor, sigma: Tensor | None = None) -> Tensor:
        create_graph = torch.is_grad_enabled()
        with torch.enable_grad():
            x = leaf(x)
            (s,) = torch.autograd.grad(self.f(x).sum(), x, create_graph=create_graph, materialize_grads=True)
        return s


def _is_flow(model: Any) -> bool:
    return _takes(model.log_density, "constant_log_dets")


def _takes(f: Any, name: str) -> bool:
    function = getattr(f, "__func__", f)
    code = getattr(function, "__code__", None)
    if code is not None and not hasattr(function, "__wrapped__"):  # a hundredth of a signature's time, at every call
        return name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    try:
        return name in inspect.signature(f).parameters
    except (TypeError, ValueError):  # a callable that has no signature to read
        return False


def _name(model: Any) -> str:
    return getattr(model, "__name__", None) or type(model).__name__
