"""The exact biharmonic from fourth derivatives along fixed directions."""

import math

import torch
from torch import Tensor

from estimators.cost import Cost
from estimators.registry import register
from estimators.taylor import along


@register(
    "biharmonic_interpolation",
    quantity="laplacian",
    orders=(4,),
    cost=Cost("3/2 (D + 1) (D + 2) + 2", memory="(D + 1) (D + 2) W", step_memory="(D + 1) (D + 2) L W"),
    tags=("taylor-mode", "cubature"),
    source="Griewank, Utke, Walther (2000), Evaluating higher derivative tensors by forward propagation of univariate "
    "Taylor series; directions: Mysovskikh's cubature of degree 5 on the sphere, in Stroud (1971), Approximate "
    "Calculation of Multiple Integrals",
)
def biharmonic_interpolation(f, x: Tensor, *, order: int = 4, chunk: int | None = None) -> Tensor:
    """Combine fourth derivatives along (D+1)(D+2)/2 directions so that all but the biharmonic cancels.

    Δ²f(x) = (D(D+2)/3) Σ_r w_r D⁴f(x)[u_r, u_r, u_r, u_r], where the D + 1 vertices of a regular simplex and the
    normalised midpoints of its D(D+1)/2 edges are the unit vectors u_r, and the weights w_r integrate every polynomial
    of degree 5 over the unit sphere: D(7−D)/((D+1)²(D+2)) for vertices, 4(D−1)²/(D(D+1)²(D+2)) for midpoints.

    Exact, and so is its θ-gradient. The vertices' weights are negative for D > 7, but all weights' absolute values
    sum to less than 3, so that cancellation costs less than a digit.

    Cost: one pass of (3/2)(D+1)(D+2) + 2 vectors (interpolation on a grid of integer directions needs
    (9/2)D² − (3/2)D + 4); memory in proportion, and times depth with θ-gradient; ``chunk`` bounds it for the value.

    Args:
        f: the function, (B, D) to (B,), made of operations that have a Taylor rule (``estimators.taylor.rules()``).
        x: the points, (B, D), float32 or float64.
        order: 4.
        chunk: how many directions to push at once; None for all.

    Returns:
        (B,), in the dtype of x.

    Raises:
        NotImplementedError: an operation of f has no Taylor rule; the message names it.

    Source: Griewank, Utke, Walther (2000), Mathematics of Computation 69; Stroud (1971), formula U_n 5 of Mysovskikh.
    """
    dim = x.shape[1]
    directions, weights = degree_five_sphere(dim, x.dtype, x.device)
    weights = weights * (dim * (dim + 2) / 3 * math.factorial(4))
    size = chunk or len(weights)
    total = torch.zeros_like(x[:, 0])
    for u, w in zip(directions.split(size), weights.split(size), strict=True):
        total = total + along(f, x, u.unsqueeze(1), 4, collapsed=True, weights=w).coefficient(4)[0]
    return total


def degree_five_sphere(dim: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Unit vectors (R, D), one of each antipodal pair, and weights (R,) of sum 1, exact on the sphere to degree 5."""
    if dim == 1:
        return torch.ones(1, 1, dtype=dtype, device=device), torch.ones(1, dtype=dtype, device=device)
    vertices = _simplex(dim)
    first, second = torch.triu_indices(dim + 1, dim + 1, offset=1)
    midpoints = torch.nn.functional.normalize(vertices[first] + vertices[second], dim=1)
    of_vertex = dim * (7 - dim) / ((dim + 1) ** 2 * (dim + 2))
    of_midpoint = 4 * (dim - 1) ** 2 / (dim * (dim + 1) ** 2 * (dim + 2))
    directions = [midpoints] if dim == 7 else [vertices, midpoints]
    weights = [
        torch.full((len(d),), of_vertex if d is vertices else of_midpoint, dtype=torch.float64) for d in directions
    ]
    return torch.cat(directions).to(device, dtype), torch.cat(weights).to(device, dtype)


def _simplex(dim: int) -> Tensor:
    """The D + 1 vertices of a regular simplex on the unit sphere, float64."""
    centred = torch.eye(dim + 1, dtype=torch.float64) - 1 / (dim + 1)
    basis = torch.linalg.qr(centred[:, :dim]).Q  # of the hyperplane Σ = 0
    return torch.nn.functional.normalize(centred @ basis, dim=1)
