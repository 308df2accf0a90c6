"""What one evaluation of each model family does: floating-point operations and operations launched, from its sizes.

Formulas, so that a hundred thousand points are reckoned in seconds and every machine agrees. A test builds every
family, traces an evaluation, and holds them to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.point import ProblemSpec
from bench.problems.images import SHAPES, WIDTH_PER_CHANNEL

D3_OF_LU = 2 / 3


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of log p, or of s where a family has no log p.

    Attributes:
        row_flops: of matrix products, convolutions and linear algebra, for each row.
        operations: launched, whatever their size.
        fixed_flops: those that the batch does not change.
        likelihood_flops: those that a likelihood takes besides and a score does not.
        solver_flops: of `row_flops`, those without a graph: no reverse pass walks them again.
        solver_operations: of `operations`, likewise.
        convolutions: whether the FLOPs are of convolutions, which a CPU does far more slowly than products.
    """

    row_flops: float
    operations: float
    fixed_flops: float = 0.0
    likelihood_flops: float = 0.0
    solver_flops: float = 0.0
    solver_operations: float = 0.0
    convolutions: bool = False


def evaluation(spec: ProblemSpec) -> Evaluation:
    """That of a problem's model; a third party's counts as a dense network of its width and depth."""
    family = FAMILIES.get(spec.model, _dense)
    return family(spec.dim, spec.depth, spec.width)


def _stack(inputs: int, depth: int, width: int, outputs: int) -> int:
    """Multiply-adds a row of dense layers, twice."""
    return 2 * (inputs * width + (depth - 1) * width**2 + width * outputs)


def _dense(dim: int, depth: int, width: int) -> Evaluation:
    return Evaluation(_stack(dim, depth, width, 1), 2 * depth + 1)


def _dense_score(dim: int, depth: int, width: int) -> Evaluation:
    return Evaluation(_stack(dim, depth, width, dim), 2 * depth + 1)


def _with_time(dim: int, depth: int, width: int) -> Evaluation:
    return Evaluation(_stack(dim + 1, depth, width, 1), 2 * depth + 6)


def _along_a_direction(dim: int, depth: int, width: int) -> Evaluation:
    both = _stack(dim, depth, width, 1) + _stack(0, depth, width, 1)
    return Evaluation(both, 10 * depth + 3, fixed_flops=2 * dim * width)


def _ridge(dim: int, depth: int, width: int) -> Evaluation:
    return Evaluation(_stack(dim, 1, width, 1), 3)


def _pointwise(operations: int) -> Callable[[int, int, int], Evaluation]:
    return lambda dim, depth, width: Evaluation(0, operations)


def _square(operations: int) -> Callable[[int, int, int], Evaluation]:
    return lambda dim, depth, width: Evaluation(2 * dim**2, operations)


def _masked(dim: int, depth: int, width: int) -> Evaluation:
    context, tail = 8, 16
    return Evaluation(_stack(dim, depth, width, context * dim) + dim * _stack(context + 1, 1, tail, 1), 3 * depth + 6)


def _dense_flow(dim: int, depth: int, width: int) -> Evaluation:
    layers = depth + 1
    return Evaluation(2 * layers * dim**2, 11 * depth + 7, likelihood_flops=layers * D3_OF_LU * dim**3)


def _additive_flow(dim: int, depth: int, width: int) -> Evaluation:
    return Evaluation(4 * _stack((dim + 1) // 2, depth, width, dim // 2), 8 * depth + 21)


def _encoder(hidden: int) -> Callable[[int, int, int], Evaluation]:
    def of(dim: int, depth: int, width: int) -> Evaluation:
        codes = dim // 5
        encoding = 2 * codes * 5 * codes
        return Evaluation(encoding + (2 * codes**2 + _stack(codes, 1, hidden, codes) if hidden else 2 * codes**2), 13)

    return of


def _convolutions(dim: int, depth: int, width: int) -> Evaluation:
    inputs, side, _ = SHAPES[dim]
    channels, pixels = max(width // WIDTH_PER_CHANNEL, 4), ((side + 1) // 2) ** 2
    of_all = 18 * (inputs * channels + (depth - 1) * channels**2) * pixels + 2 * channels
    return Evaluation(of_all, 2 * depth + 2, convolutions=True)


def _noise_conditional(dim: int, depth: int, width: int) -> Evaluation:
    inputs, side, _ = SHAPES[dim]
    channels = max(width // WIDTH_PER_CHANNEL, 4)
    return Evaluation(
        18 * (2 * inputs * channels + (depth - 1) * channels**2) * side**2, 4 * depth + 4, convolutions=True
    )


def _transformer(dim: int, depth: int, width: int) -> Evaluation:
    channels, side, patch = SHAPES[dim]
    tokens = (side // patch) ** 2
    block = 16 * tokens * width**2 + 4 * tokens**2 * width
    return Evaluation(2 * tokens * channels * patch**2 * width + depth * block + 2 * width, 39 * depth + 15)


def _deep_kernel(inside: str) -> Callable[[int, int, int], Evaluation]:
    """Two feature networks on the batch, and on the 64 rows and 32 points that natural parameters are solved on."""
    rows, points, kernels, features = 64, 32, 2, 16

    def of(dim: int, depth: int, width: int) -> Evaluation:
        row = kernels * _stack(dim, depth, width, features)
        later = kernels * _stack(0, depth, width, features)  # a column of the first layer's weight is there already
        directions = dim if inside == "exact" else 1
        fixed = 2 * points * row + 3 * rows * row + directions * rows * 2 * points**2 + D3_OF_LU * points**3
        if inside != "differences":
            along = kernels * 2 * points * features
            columns = later if inside == "exact" else row
            fixed += rows * (directions * (columns + along) + along - row)
        operations = {"exact": 68 * depth + 116, "sliced": 62 * depth + 114, "differences": 16 * depth + 88}[inside]
        return Evaluation(row, operations, fixed_flops=fixed)

    return of


def _equilibrium(dim: int, depth: int, width: int) -> Evaluation:
    """20 Picard steps, 8 of Newton and an inverse without a graph, then 6 chord steps with one."""
    layer, lu, product = 2 * (dim + width) * width, D3_OF_LU * width**3, 2 * width**2
    solver = 20 * layer + 8 * (2 * layer + lu + product) + layer + 3 * lu
    return Evaluation(solver + 6 * (layer + product), 347, solver_flops=solver, solver_operations=275)


def _linear_equilibrium(dim: int, depth: int, width: int) -> Evaluation:
    return Evaluation(2 * dim * width, 7, fixed_flops=D3_OF_LU * width**3)


FAMILIES: Mapping[str, Callable[[int, int, int], Evaluation]] = {
    "mlp": _dense,
    "score_mlp": _dense_score,
    "ridge": _ridge,
    "quadratic": _square(5),
    "gaussian": _square(12),
    "gaussian_mixture": _pointwise(13),
    "far_mode_plus": _pointwise(14),
    "far_mode_minus": _pointwise(14),
    "sine_product": _pointwise(5),
    "made": _masked,
    "glow_fc": _dense_flow,
    "nice": _additive_flow,
    "encoder": _encoder(0),
    **dict.fromkeys(("encoder_sm_exact", "encoder_ssm_vr", "encoder_fd_ssm_vr"), _encoder(64)),
    **dict.fromkeys(("encoder_dsm_low", "encoder_dsm_high"), _encoder(64)),
    "convnet": _convolutions,
    "transformer": _transformer,
    **dict.fromkeys(("ncsn_high", "ncsn_middle", "ncsn_low"), _noise_conditional),
    "dkef": _deep_kernel("exact"),
    "dkef_sliced": _deep_kernel("sliced"),
    "dkef_fd": _deep_kernel("differences"),
    **dict.fromkeys(("score_pinn", "score_pinn_density"), _with_time),
    "trace_gradient": _along_a_direction,
    **dict.fromkeys(("deq", "deq_frobenius"), _equilibrium),
    **dict.fromkeys(("deq_linear", "deq_linear_frobenius"), _linear_equilibrium),
}
