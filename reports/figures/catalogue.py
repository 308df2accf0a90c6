"""All figures, by name."""

from __future__ import annotations

from reports.figures import heat_map, outcomes, scaling, work_precision

FIGURES = {module.NAME: module for module in (work_precision, scaling, heat_map, outcomes)}
