"""Faster, slower, same or unclear: an interval and a minimum effect, never an interval alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bench.statistics.bootstrap import Samples, median_interval

Word = Literal["faster", "slower", "same", "unclear"]

LEVEL = 0.99
FLOOR = 0.01
SAME_WITHIN = 0.02


@dataclass(frozen=True)
class Verdict:
    """What the rounds' ratios of times, new over old, say.

    Attributes:
        word: faster, slower, same or unclear.
        ratio: the median of the rounds' ratios.
        low: the lower end of its interval.
        high: the upper end of its interval.
        level: the interval's level, adjusted for the number of comparisons.
        comparisons: how many comparisons are made together.
        rounds: how many rounds there were.
        reason: the rule that gave the word, in words.
    """

    word: Word
    ratio: float
    low: float
    high: float
    level: float
    comparisons: int
    rounds: int
    reason: str


def verdict(
    ratios: Samples,
    *,
    floor: float = FLOOR,
    same_within: float = SAME_WITHIN,
    level: float = LEVEL,
    comparisons: int = 1,
) -> Verdict:
    """The verdict on the ratios t_new/t_old of the block medians of each round.

    With the bootstrap interval [low, high] of the median ratio at the level 1 − (1 − level)/comparisons (Bonferroni, so
    that the probability of any false *faster* or *slower* among all comparisons stays below 1 − level):

    - *slower* where low > 1 + floor, *faster* where high < 1/(1 + floor);
    - *same* where the interval lies within [1/(1 + same_within), 1 + same_within];
    - *unclear* otherwise, and where there are too few rounds for the level: n rounds bound a median with at most
      1 − 2^{1−n}.

    Args:
        ratios: one for each round, positive.
        floor: the smallest relative change that is called one: blocks of unchanged code differ by less than 1 %.
        same_within: the largest relative change that *same* leaves possible.
        level: of the interval, for all comparisons together.
        comparisons: how many verdicts are given together.

    Raises:
        ValueError: ratios are not positive finite numbers, or a setting is out of its range.
    """
    if not 0 <= floor < same_within:
        raise ValueError(f"floor has to be >= 0 and below same_within = {same_within}; got {floor}")
    if comparisons < 1:
        raise ValueError(f"comparisons has to be at least 1; got {comparisons}")
    if not 0 < level < 1:
        raise ValueError(f"level has to be between 0 and 1; got {level!r}")
    values = np.asarray(ratios, dtype=np.float64)
    if (values <= 0).any():
        raise ValueError(f"ratios have to be positive; the smallest is {values.min():g}")
    adjusted = 1 - (1 - level) / comparisons
    ratio, low, high = median_interval(values, adjusted)
    rounds = len(values)

    def say(word: Word, reason: str) -> Verdict:
        return Verdict(word, ratio, low, high, adjusted, comparisons, rounds, reason)

    needed = int(np.ceil(1 + np.log2(comparisons / (1 - level))))
    if rounds < needed:
        return say("unclear", f"{rounds} rounds; {_percent(adjusted)} needs at least {needed}")
    if low > 1 + floor:
        return say("slower", f"the interval lies above +{_percent(floor)}")
    if high < 1 / (1 + floor):
        return say("faster", f"the interval lies below -{_percent(floor)}")
    if low >= 1 / (1 + same_within) and high <= 1 + same_within:
        return say("same", f"no change above {_percent(same_within)}")
    return say("unclear", f"the interval neither clears {_percent(floor)} nor excludes {_percent(same_within)}")


def of_launches(launches: Sequence[Samples], *, floor: float = FLOOR, **settings: float) -> Verdict:
    """The verdict on ratios from several launches of the two programs, each with new processes.

    `verdict` on all rounds together; and *unclear* instead of *faster* or *slower* unless the median ratios of three
    quarters of the launches clear the floor on that side: all of three, four of five, six of eight. Rounds of one
    launch share what its processes differ by, for as long as they live: over them alone the interval is too narrow.
    """
    together = np.concatenate([np.asarray(ratios, dtype=np.float64) for ratios in launches])
    found = verdict(together, floor=floor, **settings)  # type: ignore[arg-type]
    if found.word not in ("faster", "slower"):
        return found
    medians = np.array([np.median(ratios) for ratios in launches])
    clear = (medians > 1 + floor) if found.word == "slower" else (medians < 1 / (1 + floor))
    if clear.sum() >= len(launches) - len(launches) // 4:
        return found
    return replace(found, word="unclear", reason=f"{clear.sum()} of {len(launches)} launches clear {_percent(floor)}")


def verdicts(ratios: Mapping[str, Samples], **settings: float) -> dict[str, Verdict]:
    """The verdicts on several comparisons made together, with `comparisons` set to their number."""
    return {name: verdict(values, comparisons=len(ratios), **settings) for name, values in ratios.items()}  # type: ignore[arg-type]


def statement(
    comparisons: int, level: float = LEVEL, floor: float = FLOOR, same_within: float = SAME_WITHIN, looks: int = 1
) -> str:
    """The rule in one sentence, for whoever reads a table of verdicts."""
    adjusted = 1 - (1 - level) / (comparisons * looks)
    times = f"{comparisons} comparison{'s' if comparisons != 1 else ''}" + (
        f", up to {looks} looks" if looks > 1 else ""
    )
    launches = ", and so do the medians of three quarters of the launches," if looks > 1 else ""
    return (
        f"{times}: faster or slower where the {_percent(adjusted)} interval of the median ratio clears "
        f"{_percent(floor)} ({_percent(level)} for all together, Bonferroni){launches or ','} "
        f"same where it stays within {_percent(same_within)}, unclear otherwise"
    )


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.4g} %"
