"""Interleaved timing: live workers take turns, a block of calls each, in an order that changes every round.

Whatever slows the machine for a while slows all of a round alike, so ratios within rounds hold where times from two
separate runs do not. Only one worker computes at any moment; the others wait in a blocking read.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.process.turn import turn
from bench.process.workers import Ended, Worker

LIVE_WORKERS = 4  # in one window, the anchor among them
BLOCK_S = 0.012
ROUNDS = 15
FEWEST_ROUNDS = 7
WARM_UP_S = 0.15
SAMPLE_S = 1.0  # between looks at a timed worker's memory: a look costs it time, and its needs are known by now
BUDGET_S = 1.2  # of blocks for one entry; slow calls get fewer rounds, never fewer than FEWEST_ROUNDS


class Failed(Exception):
    """A worker answered that it failed."""

    def __init__(self, outcome: str, reason: str) -> None:
        super().__init__(reason)
        self.outcome, self.reason = outcome, reason


@dataclass
class Entry:
    """One live worker in a window, and its block medians so far, in seconds a call, one a round."""

    worker: Worker
    calls: tuple[str, ...] = ("step", "value")
    planted: float = 0.0  # the share of each call's own time that is waited after it, to see whether that is found
    typical_s: dict[str, float] = field(default_factory=dict)
    medians: dict[str, list[float]] = field(default_factory=dict)
    device_s: list[float] = field(default_factory=list)  # of steps, by CUDA events
    failure: Failed | Ended | None = None
    kernel_s: float = 0.0  # spent in the calls themselves

    def ask(self, request: dict[str, object], timeout_s: float) -> dict[str, Any]:
        """One request; a failure takes the entry out of the window."""
        try:
            answer = self.worker.ask(request, timeout_s, sample_s=SAMPLE_S)
            if answer["outcome"] != "ok":
                raise Failed(answer["outcome"], answer["reason"])
            self.kernel_s += answer.get("kernel_s", 0.0)
            return answer
        except (Ended, Failed) as failure:
            self.failure = failure
            raise


def interleave(
    entries: Sequence[Entry],
    *,
    rounds: int = ROUNDS,
    block_s: float = BLOCK_S,
    budget_s: float = BUDGET_S,
    timeout_s: float = 60.0,
    on_round: Callable[[int, int], None] | None = None,
) -> None:
    """Warm every entry up, then time them in rounds; medians, typical times and failures land on the entries.

    Holds the machine's turn for timing, so that two runs on one machine never time at once.

    Args:
        entries: at most ``LIVE_WORKERS`` open workers.
        rounds: how many rounds, fewer where calls are slow.
        block_s: the length of a block, seconds; a block holds at least one call.
        budget_s: about how long the blocks of the slowest entry may take together, seconds.
        timeout_s: the limit of one block, served time: waiting for one's turn does not count.
        on_round: called with (rounds done, rounds planned).
    """
    with turn():
        for entry in entries:
            _attempt(entry, lambda e: _warm_up(e, timeout_s))
        slowest_s = max((sum(e.typical_s.values()) for e in entries if e.failure is None), default=0.0)
        planned = min(rounds, max(FEWEST_ROUNDS, int(budget_s / max(slowest_s, 1e-9))))
        for index in range(planned):
            for entry in order_of_round(entries, index):
                _attempt(entry, lambda e: _block(e, block_s, timeout_s))
            if on_round is not None:
                on_round(index + 1, planned)


def order_of_round(entries: Sequence[Entry], index: int) -> list[Entry]:
    """The turn order: everyone goes first equally often, and every second round runs backwards."""
    shift = (index // 2) % max(1, len(entries))
    order = [*entries[shift:], *entries[:shift]]
    return order[::-1] if index % 2 else order


def round_ratios(entry: Entry, base: Entry, call: str = "step") -> list[float]:
    """The entry's block medians over the base's, round by round."""
    return [a / b for a, b in zip(entry.medians.get(call, []), base.medians.get(call, []), strict=False)]


def median_ratio(entry: Entry, base: Entry, call: str = "step") -> float | None:
    """The median over rounds of the ratio within a round."""
    ratios = round_ratios(entry, base, call)
    return statistics.median(ratios) if ratios else None


def _attempt(entry: Entry, action: Callable[[Entry], None]) -> None:
    if entry.failure is None:
        try:
            action(entry)
        except (Ended, Failed):
            entry.medians.clear()


def _warm_up(entry: Entry, timeout_s: float) -> None:
    for call in entry.calls:
        request = {"do": "warm_up", "what": call, "budget_s": WARM_UP_S, "planted": entry.planted}
        entry.typical_s[call] = entry.ask(request, timeout_s + WARM_UP_S)["typical_s"]
        entry.medians[call] = []


def _block(entry: Entry, block_s: float, timeout_s: float) -> None:
    lengths_s = {call: block_s if call == entry.calls[0] else block_s / 2 for call in entry.calls}
    limit_s = timeout_s * len(lengths_s) + sum(lengths_s.values())
    blocks = entry.ask({"do": "block", "lengths_s": lengths_s}, limit_s)["blocks"]
    for call, block in blocks.items():
        entry.medians[call].append(block["median_s"])
        if call == "step" and block["device_s"] is not None:
            entry.device_s.append(block["device_s"])
