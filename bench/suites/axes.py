"""What asv follows, written out. APPEND ONLY: lists are read once for a range of commits, never from a registry.

A list taken from the installed registry would change from commit to commit, and asv, which hands out positions in it,
would file one estimator's numbers under another's name. A commit that lacks an estimator shows n/a.

``BENCH_PRESET`` chooses smoke (seconds a commit), default (minutes) or full (an hour); ``BENCH_ESTIMATORS``, names with
commas, narrows what a commit measures anew, for a new estimator on old commits.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

ESTIMATORS: dict[str, tuple[str, ...]] = {
    "score_matching": (
        "sm_exact",
        "ssm",
        "ssm_vr",
        "taylor_ssm",
        "fd_ssm",
        "fd_ssm_vr",
        "dsm",
        "sm_forward",
        "cp_sm",
        "dsm_annealed",
        "dsm_cv",
        "dsm_sliced",
        "fd_dsm",
        "fd_ssm_4th",
        "fd_ssm_one_sided",
        "fd_ssm_score",
        "kl_sm",
        "sm_vmap",
        "ssm_forward",
        "taylor_trace_sm",
        "csm",
        "deq_exact",
        "deq_neumann",
        "deq_phantom",
        "deq_unrolled",
        "deq_phantom_ssm",
        "pinn_exact",
        "pinn_squared",
        "pinn_two_halves",
    ),
    "laplacian": (
        "hessian_trace",
        "hvp_loop",
        "forward_laplacian",
        "hutchinson",
        "hvp_vmap",
        "nested_forward_laplacian",
        "taylor_laplacian",
        "taylor_hutchinson",
        "hutchpp",
        "xtrace",
        "sdgd",
        "taylor_trace",
        "curvature_propagation",
        "approximate_backprop",
        "complex_step_hutchinson",
        "fd_hutchinson",
        "fd_laplacian",
        "stein_trace",
        "biharmonic_interpolation",
        "stochastic_biharmonic",
    ),
    "directional": (
        "nested_reverse",
        "taylor",
        "finite_difference",
        "nested_forward",
        "complex_step",
        "complex_contour",
        "richardson",
        "deq_phantom_directional",
    ),
    "log_likelihood": ("mle",),
}

# The model family that offers what an estimator needs, measured at the smallest size of the preset alone, since these
# families are dear; all others are measured on an energy.
MODELS: dict[str, str] = {
    "conditional_scores": "made",
    "equilibrium": "deq",
    "flow": "glow_fc",
    "residual": "score_pinn",
}
MODEL = "mlp"


@dataclass(frozen=True)
class Grid:
    """The numeric axes of one quantity, and the problem they are measured on.

    Width and batch are no axes, so they are the same in every preset: asv files a value under its parameters alone.
    """

    dims: tuple[int, ...]
    depths: tuple[int, ...]
    orders: tuple[int, ...]
    estimators: int | None = None  # only so many, from the first
    width: int = 128
    batch: int = 64
    draws: int = 64


PRESETS: dict[str, dict[str, Grid]] = {
    "smoke": {
        "score_matching": Grid((16,), (2,), (2,), estimators=5, draws=16),
        "laplacian": Grid((16,), (2,), (2,), estimators=4, draws=16),
        "directional": Grid((16,), (2,), (3,), estimators=3),
        "log_likelihood": Grid((16,), (1,), (0,)),
    },
    "default": {
        "score_matching": Grid((64,), (2, 8), (2,)),
        "laplacian": Grid((64,), (2, 8), (2,)),
        "directional": Grid((64,), (2,), (2, 4, 6)),
        "log_likelihood": Grid((196,), (1,), (0,)),
    },
    "full": {
        "score_matching": Grid((16, 64, 196, 784), (2, 8, 16), (2,)),
        "laplacian": Grid((16, 64, 196, 784), (2, 8, 16), (2, 4)),
        "directional": Grid((16, 64, 196, 784), (2, 8, 16), (1, 2, 3, 4, 6, 8)),
        "log_likelihood": Grid((16,), (1,), (0,)),  # of a family of its own: at the smallest size alone
    },
}

PRESET = os.environ.get("BENCH_PRESET", "default")
if PRESET not in PRESETS:
    raise ImportError(f"BENCH_PRESET has to be one of {', '.join(PRESETS)}; got {PRESET!r}")


def parameters(quantity: str, preset: str = PRESET) -> tuple[tuple[str | int, ...], ...]:
    """(estimators, dims, depths, orders) of one quantity: strings and numbers, which asv can match by their repr."""
    grid = PRESETS[preset][quantity]
    return ESTIMATORS[quantity][: grid.estimators], grid.dims, grid.depths, grid.orders


def only() -> tuple[str, ...]:
    """The estimators that are to be measured; empty for all."""
    return tuple(name.strip() for name in os.environ.get("BENCH_ESTIMATORS", "").split(",") if name.strip())
