"""The exact value of a quantity at every row, and the exact gradient of its mean, held in memory term by term."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from bench.exact import conditional_scores, forward_laplacian, forward_mode, per_term, taylor_series
from bench.exact.couplings import Coupling

Terms = Callable[[Any, Tensor, Tensor], Iterator[Tensor]]
ROUTES = ("closed_form", "by_layers", "separate_leaf", "reverse", "forward")
MEMORY_BYTES = 2**28


def exact_gradient(
    model: nn.Module, quantity: str, order: int, x: Tensor, v: Tensor | None = None, route: str | None = None
) -> tuple[Tensor, list[Tensor]]:
    """The values at the rows, and the gradient of their mean.

    A route says how: ``closed_form`` by the model's own formula; ``by_layers`` by Taylor series or the forward
    Laplacian through affine and pointwise layers; ``separate_leaf`` for autoregressive conditional scores; ``reverse``
    by reverse mode, a few terms of the sum at a time, and never more of their graphs; ``forward`` by forward mode,
    nested or over one reverse pass, one term at a time.

    Args:
        model: a module in float64.
        quantity: directional, laplacian, score_matching or log_likelihood.
        order: T; 2 for score matching.
        x: the points, (B, D) float64.
        v: directions, for a directional derivative.
        route: one of ``ROUTES``; None for the first that serves.

    Returns:
        (B,) values, and one gradient for each parameter.

    Raises:
        NotImplementedError: the route, or with None every route, does not serve the model and the quantity.
    """
    model = getattr(model, "exact_model", model)  # of one that estimates inside itself, the exact twin
    if v is None:
        if quantity == "directional":
            raise ValueError("a directional derivative needs directions v")
        v = torch.zeros_like(x)
    if route is None:
        route = serving(model, quantity, order)[0]
    terms = _terms(model, quantity, order, route)
    if terms is None:
        raise NotImplementedError(f"no exact {quantity} of order {order} by {route} for {type(model).__name__}")
    parameters = [p for p in model.parameters() if p.requires_grad]
    gradients = [torch.zeros_like(p) for p in parameters]
    values = []
    rows = max(1, MEMORY_BYTES // max(1, _bytes_a_row(model, x, route)))
    for start in range(0, len(x), rows):
        chunk = slice(start, start + rows)
        value = torch.zeros_like(x[chunk, 0])
        for term in terms(model, x[chunk].detach(), v[chunk].detach()):
            value += term.detach()
            if term.requires_grad and parameters:
                parts = torch.autograd.grad(
                    term.sum() / len(x), parameters, retain_graph=True, allow_unused=True, materialize_grads=True
                )
                for gradient, part in zip(gradients, parts, strict=True):
                    gradient += part
        values.append(value)
    return torch.cat(values), gradients


def serving(model: nn.Module, quantity: str, order: int) -> tuple[str, ...]:
    """The routes that serve, the cheapest first.

    Raises:
        NotImplementedError: none does.
    """
    routes = tuple(route for route in ROUTES if _terms(model, quantity, order, route) is not None)
    if not routes:
        raise NotImplementedError(f"no exact {quantity} of order {order} for {type(model).__name__}")
    return routes


def _terms(model: nn.Module, quantity: str, order: int, route: str) -> Terms | None:
    if route == "closed_form":
        return _closed_form(model, quantity, order)
    if route == "by_layers":
        return _by_layers(model, quantity, order)
    if route == "separate_leaf":
        serves = quantity == "score_matching" and hasattr(model, "conditional_score")
        return conditional_scores.terms if serves else None
    return {"reverse": per_term, "forward": forward_mode}[route].terms(model, quantity, order)


def _closed_form(model: nn.Module, quantity: str, order: int) -> Terms | None:
    formula = getattr(model, "closed_form", None)
    orders = getattr(model, "closed_form_orders", {}).get(quantity, ())
    if formula is None or (orders != "any" and order not in orders):
        return None

    def terms(model: nn.Module, x: Tensor, v: Tensor) -> Iterator[Tensor]:
        yield formula(quantity, order, x, v)

    return terms


def _by_layers(model: Any, quantity: str, order: int) -> Terms | None:
    layers = getattr(model, "layers", None)
    if not isinstance(layers, nn.Sequential) or not forward_laplacian.passes(layers):
        return None
    if hasattr(model, "score"):
        whole = forward_laplacian.score_matching_of_field if quantity == "score_matching" else None
    elif quantity == "laplacian" and order == 4:
        return taylor_series.bilaplacian_terms(layers)
    else:
        whole = {
            "score_matching": forward_laplacian.score_matching_of_energy,
            "laplacian": forward_laplacian.laplacian if order == 2 else None,
        }.get(quantity)
    if quantity == "directional" and not hasattr(model, "score"):
        return lambda model, x, v: iter([taylor_series.directional(layers, x, v, order)])
    return None if whole is None else lambda model, x, v: iter([whole(layers, x)])


def _bytes_a_row(model: nn.Module, x: Tensor, route: str) -> int:
    """Roughly what the graph of one row holds, in bytes."""
    layers = getattr(model, "layers", None)
    if route == "by_layers" and isinstance(layers, nn.Sequential):
        columns = min(x.shape[1], layers[0].out_features) if isinstance(layers[0], nn.Linear) else x.shape[1]
        units = sum(
            x.shape[1] if isinstance(m, Coupling) else m.weight.shape[0]
            for m in layers.modules()
            if isinstance(m, (nn.Linear, Coupling))
        )
        return 8 * 6 * columns * units
    return 8 * 64 * (x.shape[1] + 128)
