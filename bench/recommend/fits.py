"""The fitted laws of one estimator in one setting and at one order: time, memory, std and bias."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bench.recommend.measurement import Measurement
from bench.recommend.scaling import LIKELIHOOD_TERMS, TERMS, Law, Powers, cost_law, error_law, exact_law, shared_rates


@dataclass(frozen=True)
class Fits:
    """Laws over (D, depth); `std` and `bias` are None where they are zero at more than a third of the sizes."""

    estimator: str
    options: Mapping[str, Any]
    label: str
    order: int
    points: int
    time: Law
    memory: Law | None
    std: Law | None
    bias_low: Law | None
    bias_high: Law | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the page."""
        return {
            **{name: getattr(self, name) for name in ("estimator", "label", "order", "points")},
            **{
                name: None if (law := getattr(self, name)) is None else asdict(law)
                for name in ("time", "memory", "std", "bias_low", "bias_high")
            },
        }


def fits(measured: Iterable[Measurement]) -> list[Fits]:
    """One for every label and order that was measured at two sizes or more. All rows have to be of one setting."""
    groups: dict[tuple[str, int], list[Measurement]] = defaultdict(list)
    known = [m for m in measured if m.measured]
    for m in known:
        groups[m.label, m.order].append(m)
    rates = rates_of(known)
    found = (_fit(group, rates) for _, group in sorted(groups.items()))
    return [fit for fit in found if fit is not None]


def rates_of(measured: Iterable[Measurement]) -> tuple[float, ...]:
    """The seconds that the work of a step takes in one setting, by all of its rows that know their work."""
    known = [m for m in measured if m.work]
    return shared_rates([m.work for m in known], [m.time for m in known])


def time_law(group: list[Measurement], rates: tuple[float, ...] = ()) -> Law | None:
    """The law of the step time of one label, from what its steps do where every row knows that."""
    work = list(zip(*(m.work for m in group), strict=True)) if all(m.work for m in group) else ()
    sizes = [m.dim for m in group], [m.depth for m in group]
    return cost_law(*sizes, [m.time for m in group], group[0].width, work, rates, _terms(group[0]))


def _terms(row: Measurement) -> Powers:
    return LIKELIHOOD_TERMS if row.quantity == "log_likelihood" else TERMS


def _fit(group: list[Measurement], rates: tuple[float, ...]) -> Fits | None:
    dims, depths = [m.dim for m in group], [m.depth for m in group]
    time = time_law(group, rates)
    if time is None:
        return None
    first = group[0]
    return Fits(
        estimator=first.estimator,
        options=first.options,
        label=first.label,
        order=first.order,
        points=len(group),
        time=time,
        memory=exact_law(dims, depths, [m.memory for m in group], first.width),
        std=error_law(dims, depths, [m.std for m in group]),
        bias_low=error_law(dims, depths, [m.bias_low for m in group]),
        bias_high=error_law(dims, depths, [m.bias_high for m in group]),
    )
