"""Seconds and bytes as people read them."""

from __future__ import annotations


def seconds_in_words(value: float | None) -> str:
    """``1.3 s``, ``12 min`` or ``2.5 h``; nothing for None."""
    if value is None:
        return ""
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def bytes_in_words(value: float | None) -> str:
    """``512 B``, ``12 KiB``, ``1.5 MiB`` or ``2.0 GiB``; nothing for None."""
    if value is None:
        return ""
    unit, name = next(
        (u, n) for u, n in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B")) if value >= u or u == 1
    )
    return f"{value / unit:.0f} {name}" if unit < 2**20 else f"{value / unit:.1f} {name}"
