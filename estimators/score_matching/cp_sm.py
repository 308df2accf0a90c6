"""Score matching with the trace by curvature propagation."""

import torch
from torch import Tensor, nn

from estimators.cost import Cost
from estimators.laplacian.curvature_propagation import FORMS, propagate_curvature
from estimators.laplacian.layer_derivatives import layer_derivatives
from estimators.registry import register


@register(
    "cp_sm",
    quantity="score_matching",
    needs="layers",
    cost=Cost("2 M + 2", memory="M max(2 D, 4 W) + L W", step_memory="M (D + 2 L W) + 2 L W"),
    tags=("stochastic-trace", "layerwise"),
    source="Martens, Sutskever, Swersky (2012), Estimating the Hessian by Back-propagating Curvature, section on score "
    "matching",
)
def cp_sm(layers: nn.Sequential, x: Tensor, *, generator: torch.Generator, probes: int = 1, form: str = "s") -> Tensor:
    """Score matching on a layered log-density, whose score and curvature are both carried back through the layers.

    L(x) = ½ ‖∇f(x)‖² + (1/M) Σ_m Σ_i S_{m,i}², with S the factor of ``curvature_propagation``.

    Unbiased for ½‖s‖² + tr ∇s, in value and in θ-gradient; its variance was measured above that of ``ssm_vr`` with
    rademacher probes. Single draws of the θ-gradient are large where φ″g is nearly zero.

    Cost: one forward pass and one sweep back of the score and, for each probe, of two factors; no second
    differentiation through the network. Time and memory O(M · depth · width), with no factor D.

    Args:
        layers: an ``nn.Sequential`` of affine and pointwise layers and skips (couplings) with one output, the
            log-density.
        x: the points, (B, D), float32 or float64.
        generator: the source of the signs.
        probes: M, how many sweeps a row.
        form: "s", the symmetric complex factor, or "tu", two real ones.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: M < 1 or another form.
        NotImplementedError: a layer is neither affine, nor pointwise, nor a skip.

    Source: Martens, Sutskever, Swersky (2012), Estimating the Hessian by Back-propagating Curvature, ICML.
    """
    if form not in FORMS:
        raise ValueError(f"option form of cp_sm has to be one of {', '.join(FORMS)}; got {form!r}")
    s, trace = propagate_curvature(layer_derivatives(layers, x), x, generator, probes, form)
    return 0.5 * (s**2).sum(-1) + trace
