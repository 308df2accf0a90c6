"""Whether a timing is to be trusted: a mark for each row, and the reason for a bad one."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

WIDE = 0.05  # half the interval over the median
DRIFT = 0.05  # the last third of the rounds over the first
OUTLIER = 1.5  # a block over the median
MANY_OUTLIERS = 0.2  # of the blocks


def quality(
    samples: Sequence[float], low: float, high: float, throttled: bool = False, others_on_device: int = 0
) -> tuple[str, str]:
    """``stable`` or ``noisy``, and why.

    Args:
        samples: block medians in the order of the rounds, seconds.
        low: lower end of the median's interval, seconds.
        high: upper end.
        throttled: whether the device slowed itself down.
        others_on_device: how many other processes computed on the device.
    """
    middle = statistics.median(samples)
    reasons = []
    if (half := (high - low) / 2 / middle) > WIDE:
        reasons.append(f"the interval is ±{half:.0%} wide")
    third = len(samples) // 3
    if third >= 2:
        change = statistics.median(samples[-third:]) / statistics.median(samples[:third]) - 1
        if abs(change) > DRIFT:
            reasons.append(f"it drifted by {change:+.0%} from the first rounds to the last")
    outliers = sum(sample > OUTLIER * middle for sample in samples)
    if outliers > MANY_OUTLIERS * len(samples):
        reasons.append(f"{outliers} of {len(samples)} blocks took over {OUTLIER:g} times the median")
    if throttled:
        reasons.append("the device throttled")
    if others_on_device:
        reasons.append(f"{others_on_device} other processes computed on the device")
    return ("noisy", "; ".join(reasons)) if reasons else ("stable", "")
