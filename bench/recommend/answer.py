"""A question about a size becomes a ranked answer: from rows measured at that size, else from fitted laws."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bench.recommend import rule
from bench.recommend.fits import Fits, fits
from bench.recommend.measurement import SETTING, Measurement, measurements
from bench.store.latest import latest


class QuestionError(ValueError):
    """A question that has no answer; the message is one line."""


@dataclass(frozen=True)
class Question:
    """A size, the relative gradient error tolerated, and the bytes at hand (None: any).

    With `budget_s` the question is turned round: which estimator has the smallest error after so many seconds of calls
    on one batch, averaged? `error` is then the most that is accepted.
    """

    quantity: str
    dim: int
    depth: int
    order: int = 2
    error: float = 0.1
    memory_bytes: float | None = None
    budget_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse what has no answer."""
        for name, least in (("dim", 1), ("depth", 1), ("order", 0)):
            if getattr(self, name) < least:
                raise QuestionError(f"{name} has to be at least {least}; got {getattr(self, name)}")
        if not 0 < self.error < math.inf:
            raise QuestionError(f"error has to be a positive number; got {self.error}")
        if self.memory_bytes is not None and not self.memory_bytes > 0:
            raise QuestionError(f"memory has to be positive; got {self.memory_bytes}")
        if self.budget_s is not None and not self.budget_s > 0:
            raise QuestionError(f"budget has to be positive; got {self.budget_s}")


@dataclass(frozen=True)
class Answer:
    """One estimator's answer. It qualifies where `refusal` is empty.

    Attributes:
        cost_s: seconds until the error is below the tolerance: calls × step time; low and high its
            95 % interval, from the step time alone.
        basis: ``measured`` at this size, or ``fitted`` to others.
        beyond: how far outside the sizes measured, as a factor (1: inside).
        error, error_low, error_high: √(bias² + std²/calls) after those calls; low and high from the bias and the time.
        ratio: cost over that of the best; with a budget, error over that of the best.
        tied: whether it cannot be told from the best.
    """

    estimator: str
    label: str
    options: Mapping[str, Any]
    basis: str
    step_s: float = math.nan
    calls: float = math.nan
    cost_s: float = math.nan
    cost_low_s: float = math.nan
    cost_high_s: float = math.nan
    memory_bytes: float = math.nan
    bias: float = math.nan
    std: float = math.nan
    error: float = math.nan
    error_low: float = math.nan
    error_high: float = math.nan
    beyond: float = 1.0
    ratio: float = math.nan
    tied: bool = False
    refusal: str = ""


@dataclass(frozen=True)
class Recommendation:
    """The ranked answers, the refused ones with their reasons, and the setting they hold in."""

    question: Question
    setting: Mapping[str, str]
    qualified: tuple[Answer, ...]
    refused: tuple[Answer, ...]
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Plain data; numbers that are not finite are None."""
        return _plain(asdict(self))


def recommend(rows: Iterable[Mapping[str, Any]], question: Question) -> Recommendation:
    """Rank the estimators at a size.

    Rows of the most measured setting are used (model, data, width, …); keep the rows you want to choose another. Of
    several versions of one row the newest counts.

    Raises:
        QuestionError: no row is of this quantity.
    """
    every = measurements(latest(rows))
    of_quantity = [m for m in every if m.quantity == question.quantity]
    if not of_quantity:
        known = ", ".join(sorted({m.quantity for m in every})) or "none"
        raise QuestionError(f"no row measures {question.quantity!r}; there are {known}")
    settings = Counter(m.setting for m in of_quantity)
    setting = max(settings, key=lambda s: (settings[s], s))
    here = [m for m in of_quantity if m.setting == setting]
    notes = [f"{len(settings)} settings were measured; this is the most measured one"] if len(settings) > 1 else []

    size = question.dim, question.depth, question.order
    at_size = {m.label: m for m in sorted(here, key=lambda m: m.measured) if m.size == size}
    answers = [judge_measured(m, question) for m in at_size.values()]
    by_label = {fit.label: fit for fit in fits(here) if fit.order == question.order}
    answers += [judge_fitted(fit, question) for label, fit in by_label.items() if label not in at_size]
    for label in sorted({m.label for m in here} - set(at_size) - set(by_label)):
        answers.append(_unknown(next(m for m in here if m.label == label), here, question))
    qualified = rank([answer for answer in answers if not answer.refusal], question.budget_s is not None)
    refused = sorted((answer for answer in answers if answer.refusal), key=lambda answer: answer.label)
    if qualified and qualified[0].basis == "fitted":
        notes.append(_caution(qualified[0], by_label[qualified[0].label]))
    return Recommendation(question, dict(zip(SETTING, setting, strict=True)), qualified, tuple(refused), tuple(notes))


def judge_measured(m: Measurement, question: Question) -> Answer:
    """The answer of a row at the size asked for."""
    answer = Answer(m.estimator, m.label, dict(m.options), "measured", memory_bytes=m.memory, std=m.std)
    if m.outcome != "ok":
        reason = " ".join(m.reason.split())[:200]
        return replace(answer, refusal=m.outcome.replace("_", " ") + (f": {reason}" if reason else ""))
    if not m.measured:
        return replace(answer, refusal="not measured to the end")
    facts = {"step": m.time, "step_low": m.time_low, "step_high": m.time_high, "memory": m.memory}
    return _judged(answer, facts | {"bias_low": m.bias_low, "bias_high": m.bias_high, "std": m.std}, question)


def judge_fitted(fit: Fits, question: Question) -> Answer:
    """The answer of the laws fitted to other sizes."""
    size = question.dim, question.depth
    facts = rule.predicted(fit, *size)
    answer = Answer(fit.estimator, fit.label, dict(fit.options), "fitted", memory_bytes=facts["memory"])
    answer = replace(answer, std=facts["std"], beyond=math.exp(rule.law_distance(fit.time, *size)))
    if axis := rule.does_not_scale(fit, *size):
        only = {"dimension": fit.time.dims, "depth": fit.time.depths}[axis][0]
        return replace(answer, refusal=f"measured at {axis} {only:g} only: nothing says how it scales")
    return _judged(answer, facts, question)


def _judged(answer: Answer, facts: Mapping[str, float], question: Question) -> Answer:
    limits = (math.inf if limit is None else limit for limit in (question.memory_bytes, question.budget_s))
    found = rule.judged(facts, question.error, *limits)
    answer = replace(answer, step_s=facts["step"], bias=facts["bias_high"])
    if why := found["why"]:
        told = f"{found['amount']:.2g}"
        if why == "heavy":
            told = f"{found['amount'] / 1e6:.3g} MB"
        elif why == "budget":
            calls = round(found["amount"] / facts["step"])
            told = (f"{calls} calls of" if calls > 1 else "one step of") + f" {facts['step']:.2g} s"
        return replace(answer, refusal=rule.REFUSALS[why].format(told))
    cost = {f"{name}_s": found[name] for name in ("cost", "cost_low", "cost_high")}
    return replace(answer, **cost, **{name: found[name] for name in ("calls", "error", "error_low", "error_high")})


def _unknown(m: Measurement, here: list[Measurement], question: Question) -> Answer:
    orders = sorted({other.order for other in here if other.label == m.label and other.measured})
    refusal = "never measured to the end"
    if orders and question.order not in orders:
        refusal = f"order {question.order} was not measured; {', '.join(map(str, orders))} were"
    elif orders:
        refusal = "measured at one size only: nothing says how it scales"
    return Answer(m.estimator, m.label, dict(m.options), "none", refusal=refusal)


def rank(answers: Iterable[Answer], by_error: bool = False) -> tuple[Answer, ...]:
    """Cheapest (most accurate) first; tied where intervals overlap with the best's or lie within a few per cent."""
    value, low, high = ("error", "error_low", "error_high") if by_error else ("cost_s", "cost_low_s", "cost_high_s")
    ordered = sorted(answers, key=lambda answer: getattr(answer, value))
    if not ordered:
        return ()
    best = ordered[0]
    least, top = getattr(best, value), getattr(best, high)
    return tuple(
        replace(
            answer,
            ratio=getattr(answer, value) / least if least > 0 else math.nan,
            tied=answer is not best and rule.tied(getattr(answer, value), getattr(answer, low), least, top),
        )
        for answer in ordered
    )


def _caution(answer: Answer, fit: Fits) -> str:
    dims, depths = (f"{low:g} to {high:g}" for low, high in (fit.time.dims, fit.time.depths))
    text = f"not measured at this size: fitted to {fit.points} points, D {dims}, depth {depths}"
    return text + (f"; an extrapolation by a factor of {answer.beyond:.2g}" if answer.beyond > 1.001 else "")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
