"""The `Estimator` record: one way to estimate one quantity, with the facts about it and one checked call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor

from estimators import arguments, protocols
from estimators.cost import Cost

QUANTITIES = ("directional", "laplacian", "score_matching", "log_likelihood")
BIASES = ("none", "vanishing", "fixed")
TARGETS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {  # the first is the default
        "directional": ("exact", "smoothed", "none"),
        "laplacian": ("exact", "smoothed", "none"),
        "score_matching": ("sm", "dsm", "csm", "smoothed", "mle", "residual", "none"),
        "log_likelihood": ("mle", "none"),
    }
)
DEFAULT_ORDERS: Mapping[str, tuple[int, ...] | Literal["any"]] = MappingProxyType(
    {"directional": "any", "laplacian": (2,), "score_matching": (2,), "log_likelihood": (0,)}
)


@dataclass(frozen=True, eq=False)
class Estimator:
    """An estimator of one quantity, callable, with its facts.

    Calls, with x: (B, D), v: (B, D), f mapping (B, D) to (B,) row by row; every call returns (B,):

    - ``directional``: ``est(f, x, v, order=T, **options)``
    - ``laplacian``: ``est(f, x, order=2, generator=g, **options)``
    - ``score_matching``: ``est(model, x, generator=g, **options)``
    - ``log_likelihood``: ``est(model, x, **options)``

    Attributes:
        function: the registered function.
        name: its name in the registry, ``[a-z][a-z0-9_]*``.
        quantity: one of ``QUANTITIES``.
        options: option name → default, read from the keyword-only parameters.
        orders: the derivative orders it can do, or ``"any"``.
        stochastic: whether it draws from ``generator``; true iff that parameter has no default.
        bias: ``"none"``, ``"vanishing"`` or ``"fixed"``.
        step: the option a vanishing bias vanishes with.
        bias_order: the power of ``step`` with which it vanishes.
        target: what it converges to (see ``TARGETS``).
        pair: an unbiased estimator that draws the same probes from the same generator state.
        needs: the smallest protocol it works on (``estimators.protocols.NEEDS``).
        cost: passes and memory, as functions of D, depth, T and M; None where nobody declared them.
        tags: free words, for filters.
        source: authors, year, title, equation.
        formula: the second paragraph of the docstring.
        origin: ``"estimators"`` for built-in ones, else the file or the distribution it came from.
    """

    function: Callable[..., Tensor]
    name: str
    quantity: str
    options: Mapping[str, Any]
    orders: tuple[int, ...] | Literal["any"]
    stochastic: bool
    bias: str
    step: str | None
    bias_order: int | None
    target: str
    pair: str | None
    needs: str
    tags: tuple[str, ...]
    source: str
    formula: str
    origin: str = "estimators"
    cost: Cost | None = None
    __doc__: str = field(default="", repr=False)

    @property
    def exact(self) -> bool:
        """Neither stochastic nor biased."""
        return not self.stochastic and self.bias == "none"

    def supports(self, order: int) -> bool:
        """Whether it can do this derivative order."""
        return self.orders == "any" or order in self.orders

    def __call__(
        self,
        model: Any,
        x: Tensor,
        *args: Tensor,
        order: int | None = None,
        generator: torch.Generator | None = None,
        **options: Any,
    ) -> Tensor:
        """Check the arguments, bring the model into the protocol the estimator needs, and estimate.

        Returns:
            The estimates, shape (B,), differentiable in the model's parameters when gradients are enabled.

        Raises:
            ValueError: an argument is not what it has to be; the message names it and says what is allowed.
            NotImplementedError: the model does not offer what the estimator needs.
        """
        arguments.check_points(x)
        keywords: dict[str, Any] = arguments.check_options(self, options)
        if self.quantity == "directional":
            args = (arguments.check_direction(args, x),)
        elif args:
            raise ValueError(f"{self.name} takes (model, x) and keywords; got {len(args)} further positional")
        if self.quantity in ("directional", "laplacian") or order is not None:
            order = arguments.check_order(self, order)
        if self.quantity in ("directional", "laplacian"):
            keywords["order"] = order
        if self.stochastic:
            keywords["generator"] = arguments.check_generator(self, generator)
        adapted = protocols.adapt(model, self.needs, up_to_constant=self.quantity != "log_likelihood")
        return arguments.check_result(self, self.function(adapted, x, *args, **keywords), x)


def facts_from_signature(function: Callable[..., Any]) -> tuple[Mapping[str, Any], bool]:
    """Read the options (name → default) and stochasticity from the keyword-only parameters of ``function``.

    Raises:
        ValueError: an option has no default.
    """
    keyword_only = {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    generator = keyword_only.pop("generator", None)
    keyword_only.pop("order", None)
    for name, parameter in keyword_only.items():
        if parameter.default is inspect.Parameter.empty:
            raise ValueError(f"option {name!r} of {function.__name__} has no default; every option needs one")
    stochastic = generator is not None and generator.default is inspect.Parameter.empty
    return MappingProxyType({name: p.default for name, p in keyword_only.items()}), stochastic


def formula_from_docstring(function: Callable[..., Any]) -> str:
    """The second paragraph of the docstring, where every estimator states its formula."""
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    return paragraphs[1].strip() if len(paragraphs) > 1 else ""
