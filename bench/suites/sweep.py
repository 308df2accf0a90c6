"""What a commit's estimators cost and how accurate they are: one sweep a commit, read back metric by metric."""

from __future__ import annotations

from math import nan
from typing import Any

from bench.rounds import ratios_to_anchor

from . import axes, measurement

Samples = dict[str, Any]


class _Question:
    """A quantity followed over commits; a value is n/a where there is nothing to measure, failed where it failed.

    The reason of a failure is in the commit's store, .asv/stores; asv keeps none.
    """

    quantity = ""
    param_names = ("estimator", "dim", "depth", "order")
    version = "6"  # ours, raised with the method version; asv's own hash would change with a comment
    timeout = 60

    def setup_cache(self) -> str:
        """The one sweep of this commit, for all questions; runs in a fresh process of its own."""
        return str(measurement.measure())

    setup_cache.timeout = 6 * 3600  # type: ignore[attr-defined]

    def setup(self, store: str, estimator: str, dim: int, depth: int, order: int) -> None:
        """Read the row; asv shows n/a for NotImplementedError."""
        row = measurement.row(store, self.quantity, estimator, dim, depth, order)
        if row is None:
            raise NotImplementedError(f"this commit has no {estimator} at order {order}")
        if row["outcome"] in measurement.NOT_COMPARABLE:
            raise NotImplementedError(row["reason"])
        self.row = row

    def _number(self, column: str) -> float | None:
        """The column's value; None, shown as failed, where the point failed; NaN, shown as n/a, where it has none."""
        if self.row["outcome"] != "ok":
            return None
        value = self.row[column]
        return nan if value is None else float(value)

    def _times(self, median: str, samples: list[float] | None) -> Samples | float | None:
        if self.row["outcome"] == "ok" and samples:
            return {"samples": samples, "number": 1}
        return self._number(median)

    def track_step_time(self, *_: Any) -> Samples | float | None:
        """Seconds of one call and its gradient in the parameters."""
        return self._times("time_step_s", self.row["time_samples"])

    track_step_time.type, track_step_time.unit = "time", "seconds"  # type: ignore[attr-defined]

    def track_step_ratio(self, *_: Any) -> Samples | float | None:
        """The same over a plain training step in the same rounds, which the machine's drift leaves alone."""
        return self._times("time_ratio", ratios_to_anchor(self.row))

    track_step_ratio.unit = "plain steps"  # type: ignore[attr-defined]

    def track_value_time(self, *_: Any) -> Samples | float | None:
        """Seconds of one call without gradient."""
        return self._times("time_value_s", (self.row.get("extra") or {}).get("time_value_samples"))

    track_value_time.type, track_value_time.unit = "time", "seconds"  # type: ignore[attr-defined]

    def track_peak_memory(self, *_: Any) -> float | None:
        """The allocator's peak above the baseline, of call and gradient."""
        return self._number("peak_step_bytes")

    track_peak_memory.type, track_peak_memory.unit = "memory", "bytes"  # type: ignore[attr-defined]

    def track_predicted_memory(self, *_: Any) -> float | None:
        """The same, predicted without arithmetic."""
        return self._number("predicted_peak_bytes")

    track_predicted_memory.type, track_predicted_memory.unit = "memory", "bytes"  # type: ignore[attr-defined]

    def track_gradient_bias(self, *_: Any) -> float | None:
        """The gradient's relative bias, corrected for noise; 0 where the draws do not resolve one."""
        bias = self._number("grad_bias")
        return bias if bias is None or self.row["bias_resolved"] or bias != bias else 0.0

    track_gradient_bias.unit = "relative"  # type: ignore[attr-defined]

    def track_gradient_std(self, *_: Any) -> float | None:
        """The relative standard deviation of one draw of the gradient."""
        return self._number("grad_std")

    track_gradient_std.unit = "relative"  # type: ignore[attr-defined]

    def track_flops(self, *_: Any) -> float | None:
        """Floating-point operations of call and gradient."""
        return self._number("flops_step")

    track_flops.unit = "flops"  # type: ignore[attr-defined]


class ScoreMatching(_Question):
    """Score-matching objectives."""

    quantity = "score_matching"
    params = axes.parameters("score_matching")


class Laplacian(_Question):
    """Laplacians of a scalar network."""

    quantity = "laplacian"
    params = axes.parameters("laplacian")


class Directional(_Question):
    """Directional derivatives of order T."""

    quantity = "directional"
    params = axes.parameters("directional")


class LogLikelihood(_Question):
    """Log-likelihoods of a flow."""

    quantity = "log_likelihood"
    params = axes.parameters("log_likelihood")
