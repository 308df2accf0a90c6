"""Score matching with the trace by approximate back-propagation (Kingma and LeCun)."""

from torch import Tensor, nn

from estimators.cost import Cost
from estimators.laplacian.approximate_backprop import approximate_curvature
from estimators.laplacian.layer_derivatives import layer_derivatives
from estimators.registry import register


@register(
    "kl_sm",
    quantity="score_matching",
    needs="layers",
    bias="fixed",
    target="none",
    cost=Cost("3", memory="D + (L + 4) W", step_memory="D + 4 L W"),
    tags=("layerwise", "deterministic"),
    source="Kingma, LeCun (2010), Regularized estimation of image statistics by score matching, section 3",
)
def kl_sm(layers: nn.Sequential, x: Tensor) -> Tensor:
    """Score matching on a layered log-density, with the diagonal curvature carried back and all else dropped.

    L(x) = ½ ‖∇f(x)‖² + Σ_i h_i(x), with h the approximate diagonal of ``approximate_backprop``.

    Biased by an amount that nothing makes vanish, and without noise; exact with one hidden layer.

    Cost: one forward pass and one sweep back of gradient and diagonal, together three evaluations; time and memory
    O(depth · width), with no factor D.

    Args:
        layers: an ``nn.Sequential`` of affine and pointwise layers and skips (couplings) with one output, the
            log-density.
        x: the points, (B, D), float32 or float64.

    Returns:
        (B,), in the dtype of x.

    Raises:
        NotImplementedError: a layer is neither affine, nor pointwise, nor a skip.

    Source: Kingma, LeCun (2010), Regularized estimation of image statistics by score matching, NeurIPS, section 3.
    """
    s, diagonal = approximate_curvature(layer_derivatives(layers, x), x)
    return 0.5 * (s**2).sum(-1) + diagonal.sum(-1)
