"""Composite score matching (CSM) of autoregressive models."""

import torch
from torch import Tensor

from estimators.cost import Cost
from estimators.protocols import leaf
from estimators.registry import register
from estimators.reverse import gradient


@register(
    "csm",
    quantity="score_matching",
    needs="conditional_scores",
    target="csm",
    cost=Cost("1", memory="W + D", step_memory="L W + D"),  # of the context alone
    tags=("exact", "reverse-mode", "autoregressive"),
    source="Meng, Yu, Song, Song, Ermon (2020), Autoregressive Score Matching",
)
def csm(model, x: Tensor) -> Tensor:
    """Match the score of every coordinate given those before it, all D derivatives in one extra reverse pass.

    L(x) = Σ_d [ ½ s_d² + ∂s_d/∂x_d ], with s_d = ∂/∂x_d log p(x_d | x_{<d}).

    Exact for composite score matching, without a draw: the contexts are taken from x and the coordinates from a leaf
    x̃ = x of its own, in which the Jacobian of s is diagonal, so that ∇ Σ_d s_d in x̃ is (∂s_d/∂x_d)_d. Were the two one
    leaf, the pass would give Σ_d′ ∂s_d′/∂x_d, the objective of another model. The objective is not that of the joint
    score, unless the coordinates are independent: s_d does not collect what x_d does to the conditionals after it.

    Cost: one pass through context and tail, one reverse pass through the tail alone, and no factor D beyond the
    network's own. The declared passes, 1 and with θ-gradient 3, are the context's; the tail's are 2 and 6. Memory is
    that of one pass, and once more the tail's for the θ-gradient.

    Args:
        model: ``context``, (B, D) to (B, D, C), row d seeing only x before d, and ``conditional_score``, from contexts
            and coordinates (B, D) to (B, D), coordinate by coordinate.
        x: the points, (B, D), float32 or float64.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: the contexts are not (B, D, C), or the conditional scores not (B, D).

    Source: Meng, Yu, Song, Song, Ermon (2020), Autoregressive Score Matching, NeurIPS, §3: composite score matching.
    """
    create_graph = torch.is_grad_enabled()
    contexts = model.context(x)
    if contexts.dim() != 3 or contexts.shape[:2] != x.shape:
        raise ValueError(f"context has to map {tuple(x.shape)} to (B, D, C); it returned {tuple(contexts.shape)}")
    with torch.enable_grad():
        coordinates = x.clone() if x.requires_grad else leaf(x)
        s = model.conditional_score(contexts, coordinates)
        if s.shape != x.shape:
            raise ValueError(f"conditional_score has to return {tuple(x.shape)}; it returned {tuple(s.shape)}")
        derivatives = gradient(s, coordinates, create_graph=create_graph)
    result = (0.5 * s.square() + derivatives).sum(-1)
    return result if create_graph else result.detach()
