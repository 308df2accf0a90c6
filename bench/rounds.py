"""A row's rounds: what its step took over what the anchor took beside it, which a machine's drift leaves alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def ratios_to_anchor(row: Mapping[str, Any]) -> list[float]:
    """Block medians of the step over those of the anchor in the same round; none where there was no anchor."""
    samples, anchor = row.get("time_samples"), (row.get("extra") or {}).get("anchor_samples")
    return [step / plain for step, plain in zip(samples or [], anchor or [], strict=False)]
