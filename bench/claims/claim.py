"""A claim: facts, points, and a rule from their rows to a verdict. Plain data; knows no store and no process."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from bench.claims.papers import Paper
    from bench.claims.rows import Rows
    from bench.point import Point
    from bench.train.training import Training

Word = Literal[
    "reproduced", "reproduced in part", "not reproduced", "undecided", "not measured yet", "cannot be tested here"
]
WORDS: tuple[Word, ...] = get_args(Word)
NO_BREAK = "\u00a0"  # between a number and its unit
Known = Literal["read", "recalled"]
CLOSE = 5.0  # per cent of the gradient: what claims of accuracy may be off by, unless the paper says how much
FASTER = 1.05  # times: the least that claims of speed have to show, unless the paper says how much
BETTER = 1.0  # per cent of the way down: the least that claims of better training have to show


@dataclass(frozen=True)
class Figure:
    """A number with its 95 % interval, in a unit: ``times``, ``%``, or a word of the claim's own.

    A count that repeats exactly has an interval of no length.
    """

    number: float
    low: float
    high: float
    unit: str

    def __post_init__(self) -> None:
        if not all(math.isfinite(end) for end in (self.number, self.low, self.high)) or self.low > self.high:
            raise ValueError(
                f"a figure needs a finite number and interval; got {self.number} ({self.low} to {self.high})"
            )

    def __str__(self) -> str:
        """``1.58 times (1.55 to 1.61)``; a bias that is not told from zero stands below its upper end.

        Three digits, or as many as tell the interval's ends apart.
        """
        unit = f"{NO_BREAK}{self.unit}" if self.unit else ""
        if self.low == 0 < self.high:
            return f"below {self.high:.3g}{unit}"
        if self.low == self.high:
            return f"{self.number:.3g}{unit}"
        digits = next((n for n in range(3, 6) if f"{self.low:.{n}g}" != f"{self.high:.{n}g}"), 6)
        return f"{self.number:.{digits}g}{unit} ({self.low:.{digits}g} to {self.high:.{digits}g})"


@dataclass(frozen=True)
class Finding:
    """One thing that a claim asks of a figure: that it is at least, or at most, a limit.

    Attributes:
        what: what the figure is, in few words.
        figure: the number measured.
        at_least: the limit from below, or None.
        at_most: the limit from above, or None; exactly one of the two is given.
    """

    what: str
    figure: Figure
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"{self.what}: a finding takes exactly one of at_least and at_most")

    @property
    def holds(self) -> bool | None:
        """Whether the whole interval is on the side asked for; None where the limit lies inside it."""
        if self.at_least is not None:
            return True if self.figure.low >= self.at_least else False if self.figure.high < self.at_least else None
        assert self.at_most is not None
        return True if self.figure.high <= self.at_most else False if self.figure.low > self.at_most else None

    @property
    def limit(self) -> float:
        """The limit, from whichever side."""
        return self.at_least if self.at_least is not None else self.at_most  # type: ignore[return-value]

    @property
    def asked(self) -> str:
        """The limit in words."""
        side = "at most" if self.at_least is None else "at least"
        return f"{side} {self.limit:g}{' ' if self.figure.unit else ''}{self.figure.unit}"


@dataclass(frozen=True)
class Verdict:
    """What the rows say of a claim.

    Attributes:
        word: one of `WORDS`.
        number: the headline figure; None where nothing was measured.
        low: the lower end of its 95 % interval.
        high: the upper end.
        unit: of the three.
        sentence: what was found, with its numbers.
        findings: all that the word rests on, the headline first.
    """

    word: Word
    number: float | None
    low: float | None
    high: float | None
    unit: str
    sentence: str
    findings: tuple[Finding, ...] = ()

    @property
    def ours(self) -> str:
        """The headline figure in words, and that it has no interval where it repeats exactly; a dash for none."""
        if not self.findings:
            return "–"
        figure = self.findings[0].figure
        return f"{figure} (repeats exactly)" if figure.low == figure.high else str(figure)


def verdict(sentence: str, *findings: Finding) -> Verdict:
    """The one rule of all claims.

    - *reproduced*: all findings hold; *not reproduced*: none does;
    - *reproduced in part*: some hold and some do not;
    - *undecided*: what is decided agrees, and of the rest the interval holds the limit.

    Args:
        sentence: what was found, with its numbers.
        findings: at least one; the first has the headline figure.
    """
    held = {finding.holds for finding in findings}
    word: Word = "reproduced in part" if {True, False} <= held else "undecided"
    if held == {True}:
        word = "reproduced"
    elif held == {False}:
        word = "not reproduced"
    head = findings[0].figure
    return Verdict(word, head.number, head.low, head.high, head.unit, sentence, findings)


def unmeasured(why: str) -> Verdict:
    """*Not measured yet*, and why: a verdict without a number."""
    return Verdict("not measured yet", None, None, None, "", why)


def untestable(sentence: str, *standing_in: Finding) -> Verdict:
    """*Cannot be tested here*, whatever the findings: they are of what can be measured instead, and decide nothing.

    Args:
        sentence: what it needs, and what the stand-ins came to.
        standing_in: at least one; the first has the headline figure.
    """
    return replace(verdict(sentence, *standing_in), word="cannot be tested here")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a paper says, and how it is held against measurement.

    Attributes:
        says: the claim in our own words, one sentence.
        paper: who says it.
        place: where in the paper: section, table or figure.
        figure: the paper's number, in words; a dash where it gives none.
        known: whether its figure was read in the paper, or is recalled and has to be checked before it is cited.
        measures: what is measured here, one sentence.
        rule: what makes it reproduced, in part or not, one sentence with the limits.
        judge: the rows of its points, and in `Rows.runs` its training runs → the verdict.
        points: the points it needs, ordinary ones of any sweep.
        runs: the training runs it needs, ordinary ones of any training sweep.
        name: the file's name, given by the ledger.
        subject: the folder's name, given by the ledger.
    """

    says: str
    paper: Paper
    place: str
    figure: str
    known: Known
    measures: str
    rule: str
    judge: Callable[[Rows], Verdict]
    points: Callable[[], list[Point]] = list
    runs: Callable[[], list[Training]] = list
    name: str = ""
    subject: str = ""
