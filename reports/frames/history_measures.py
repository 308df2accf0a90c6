"""What is followed from commit to commit: each measure's column, its interval, its benchmark in asv, and its words."""

from __future__ import annotations

from dataclasses import dataclass

from bench.diff.change import BIAS_FLOOR, MEMORY_FLOOR, WORDS
from bench.diff.stores import FLOOR


@dataclass(frozen=True)
class Measure:
    """One thing that is followed.

    Attributes:
        name: the store's column.
        title: for people.
        unit: as the page writes numbers: s, B, error (a fraction of the exact gradient), FLOP, or plain steps.
        interval: the columns of its ends, where it has one.
        asv: the benchmark of `bench.suites.sweep` that tells it.
        words: got worse, got better.
        floor: the smallest step that is named, relative to the old level.
        absolute: whether a step is a difference, and not a ratio: a bias may be 0.
    """

    name: str
    title: str
    unit: str
    interval: tuple[str, str] | None
    asv: str
    words: tuple[str, str]
    floor: float
    absolute: bool = False


MEASURES = {
    measure.name: measure
    for measure in (
        Measure(
            "time_step_s",
            "step time",
            "s",
            ("time_step_low_s", "time_step_high_s"),
            "track_step_time",
            WORDS["time"],
            FLOOR,
        ),
        Measure(
            "time_ratio",
            "relative step time",
            "plain steps",
            None,
            "track_step_ratio",
            WORDS["time"],
            FLOOR,
        ),
        Measure("time_value_s", "value time", "s", None, "track_value_time", WORDS["time"], FLOOR),
        Measure("peak_step_bytes", "peak memory", "B", None, "track_peak_memory", WORDS["memory"], MEMORY_FLOOR),
        Measure(
            "predicted_peak_bytes",
            "predicted memory",
            "B",
            None,
            "track_predicted_memory",
            WORDS["memory"],
            MEMORY_FLOOR,
        ),
        Measure(
            "grad_bias",
            "gradient bias",
            "error",
            ("grad_bias_low", "grad_bias_high"),
            "track_gradient_bias",
            WORDS["bias"],
            BIAS_FLOOR,
            absolute=True,
        ),
        Measure(
            "grad_std",
            "gradient std",
            "error",
            ("std_low", "std_high"),
            "track_gradient_std",
            ("noisier", "less noisy"),
            0.2,  # 64 draws know a std to a tenth
        ),
        Measure("flops_step", "operations", "FLOP", None, "track_flops", ("more operations", "fewer operations"), 1e-6),
    )
}
OF_ASV = {measure.asv: measure for measure in MEASURES.values()}
