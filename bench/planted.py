"""A known slowdown: a call that takes a given share longer than it would, whatever it takes at the moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def slowed(call: Callable[[], Any], change: float) -> Callable[[], Any]:
    """The same call, followed by a busy wait of ``change`` times the seconds that it took.

    A real slowdown grows and shrinks with the machine's speed, so a planted one has to: a wait of fixed length is 3 %
    of the step in one minute and 2.5 % in the next.

    Args:
        call: what is slowed, synchronous.
        change: 0.05 for 5 % slower.
    """

    def slower() -> Any:
        started = time.perf_counter()
        result = call()
        finished = time.perf_counter()
        until = finished + change * (finished - started)
        while time.perf_counter() < until:
            pass
        return result

    return slower
