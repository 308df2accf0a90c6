"""A change: one point, one measure, the verdict on it, and the numbers behind it."""

from __future__ import annotations

from dataclasses import dataclass

from bench.statistics.verdict import Verdict

# Each measure's words: got worse, got better.
WORDS = {"time": ("slower", "faster"), "memory": ("heavier", "lighter"), "bias": ("more biased", "less biased")}
BROKEN = "broken"  # worked before, does not now: worse than any number
NEUTRAL = ("same", "unclear", "not comparable")
MEMORY_FLOOR = 0.01
MEMORY_FLOOR_BYTES = 4096
BIAS_FLOOR = 1e-3  # of the gradient's norm


class DiffError(ValueError):
    """The two cannot be compared; one line says why."""


@dataclass(frozen=True)
class Change:
    """What became of one measure of one point.

    Attributes:
        label: the point.
        estimator: its estimator.
        measure: time, memory or bias.
        word: the verdict.
        old: the old value: seconds, bytes, or the relative bias; None where there is none.
        new: the new one.
        ratio: new over old; for a bias, the size of the gradient's change relative to the gradient.
        low: the lower end of the interval of ``ratio``; None where it is exact or there is none.
        high: the upper end.
        note: what a reader has to know beside it.
    """

    label: str
    estimator: str
    measure: str
    word: str
    old: float | None = None
    new: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def is_worse(self) -> bool:
        """Whether it is slower, heavier, more biased or broken."""
        return self.word in (WORDS[self.measure][0], BROKEN)

    @property
    def is_change(self) -> bool:
        """Whether it is better or worse."""
        return self.word in (*WORDS[self.measure], BROKEN)


def time_change(label: str, estimator: str, verdict: Verdict, old: float | None, new: float | None) -> Change:
    """The change of time that a verdict on the rounds' ratios names."""
    note = verdict.reason if verdict.word == "unclear" else ""
    return Change(label, estimator, "time", verdict.word, old, new, verdict.ratio, verdict.low, verdict.high, note)


def memory_change(label: str, estimator: str, old: int | None, new: int | None) -> Change:
    """Peaks repeat to the byte, so a change is one above 1 % and a page."""
    if old is None or new is None:
        return Change(label, estimator, "memory", "not comparable", old, new, note="not measured in both")
    ratio = new / old if old else None
    word = "same"
    if abs(new - old) > max(MEMORY_FLOOR * old, MEMORY_FLOOR_BYTES):
        word = WORDS["memory"][0 if new > old else 1]
    return Change(label, estimator, "memory", word, old, new, ratio)


def failed(label: str, estimator: str, old_failed: bool, why: str) -> list[Change]:
    """All three measures of a point that failed in one version or both: *broken* where the old one worked."""
    return [Change(label, estimator, measure, word_of_failure(old_failed), note=why) for measure in WORDS]


def word_of_failure(old_failed: bool) -> str:
    """The word where the new version failed, or both did, or the old one alone."""
    return "not comparable" if old_failed else BROKEN
