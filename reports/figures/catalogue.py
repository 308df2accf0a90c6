"""All figures, by name."""

from __future__ import annotations

from reports.figures import (
    bias_forest,
    budget,
    convergence,
    heat_map,
    memory,
    outcomes,
    residuals,
    scaling,
    step_size,
    work_precision,
)

FIGURES = {
    module.NAME: module
    for module in (
        *(work_precision, budget, scaling, residuals, heat_map, bias_forest, convergence, step_size, memory),
        outcomes,
    )
}
