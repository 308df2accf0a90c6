"""Maximum likelihood, with every log-determinant."""

from __future__ import annotations

from torch import Tensor

from estimators.registry import register


@register(
    "mle",
    quantity="log_likelihood",
    needs="flow",
    tags=("likelihood",),
    source="Dinh, Krueger, Bengio (2014), NICE: Non-linear Independent Components Estimation, eq. 2; the cost against "
    "score matching: Chao, Sun, Hsu, Kira, Lee (2023), Training Energy-Based Normalizing Flow with Score-Matching "
    "Objectives",
)
def mle(flow, x: Tensor) -> Tensor:
    """The negative log-likelihood of a normalising flow, nothing left out.

    L(x) = −log p(x) = −log N(g(x)) − Σ_l log|det ∂g_l/∂h_{l−1}|, for a flow y = g(x) = g_L ∘ ⋯ ∘ g_1 on a standard
    normal base.

    Unbiased: exact, in value and in θ-gradient. Its gradient is not that of score matching: ½ E‖∇ log q − s‖² and the
    log-likelihood have one minimiser where the family holds q, and others where it does not.

    Cost: one forward and one ordinary reverse pass, and the log-determinants that are constant in x: ⅔D³ for the LU of
    a dense D × D layer, 2D³ more for W⁻ᵀ in the θ-gradient, whatever the batch. Score-matching objectives of the same
    flow skip those: time O(D²) a row. Memory O(D²) a layer and that of a plain training step.

    Args:
        flow: ``log_density(x, constant_log_dets=True) -> (B,)``, normalised.
        x: the points, (B, D), float32 or float64.

    Returns:
        (B,), in the dtype of x: nats.

    Raises:
        ValueError: x is not (B, D), or the flow returned another shape than (B,).
        NotImplementedError: the model has no log_density that takes ``constant_log_dets``.

    Source: Dinh, Krueger, Bengio (2014), NICE, eq. 2; Chao, Sun, Hsu, Kira, Lee (2023), Training Energy-Based
    Normalizing Flow with Score-Matching Objectives, NeurIPS.
    """
    return -flow.log_density(x, constant_log_dets=True)
