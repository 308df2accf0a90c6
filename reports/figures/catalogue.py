"""All figures, by name."""

from __future__ import annotations

from reports.figures import bias_forest, budget, heat_map, memory, outcomes, scaling, step_size, work_precision

FIGURES = {
    module.NAME: module
    for module in (work_precision, budget, scaling, heat_map, bias_forest, step_size, memory, outcomes)
}
