"""How well an equilibrium estimator's fixed point has converged: seen from outside, on the layer's own applications.

For one call the estimator is given its model with the layer watched. Whatever it does, every application shows how far
the layer still moves z; those to plain tensors are the solver's, those to Taylor series are differentiated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Convergence:
    """What was seen in one call.

    Attributes:
        residual: the least over applications of max over rows ‖layer(z, x) − z‖/‖layer(z, x)‖; None without any.
        solver_applications: how often the layer was applied to plain tensors.
    """

    residual: float | None
    solver_applications: int


class Watched:
    """A model as it is, but for a layer whose applications to whole batches of ``rows`` are recorded."""

    def __init__(self, model: Any, rows: int) -> None:
        self._model, self._rows = model, rows
        self.residuals: list[float] = []
        self.solver_applications = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def layer(self, z: Any, x: Any) -> Any:
        """One application, recorded."""
        image = self._model.layer(z, x)
        if z.shape[0] == self._rows:
            self.solver_applications += isinstance(image, Tensor)
            with torch.no_grad():  # of a Taylor series, the value
                before, after = (t if isinstance(t, Tensor) else t.value for t in (z, image))
                moved, size = (torch.linalg.vector_norm(t.flatten(1), dim=1) for t in (after - before, after))
                self.residuals.append(float((moved / size.clamp_min(torch.finfo(size.dtype).tiny)).max()))
        return image


def convergence(model: Any, rows: int, call: Callable[[Any], object]) -> Convergence:
    """Watch one call of an estimator.

    Args:
        model: with ``layer(z, x) -> z``.
        rows: the batch; applications to fewer rows (a look at one) are not counted.
        call: calls the estimator on the model it is given.
    """
    watched = Watched(model, rows)
    call(watched)
    return Convergence(min(watched.residuals, default=None), watched.solver_applications)
