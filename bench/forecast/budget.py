"""The seconds that a run may take, and how long what is nominal takes on this machine, learnt as the run goes."""

from __future__ import annotations

import math
import time


class Budget:
    """A stretch of time that began when the budget was made.

    Attributes:
        factor: seconds that passed for each nominal second done so far; before anything is done, what was given.
        nominal_s: of what was done so far.
        took_s: what that took.
    """

    def __init__(self, seconds: float = math.inf, factor: float = 1.0) -> None:
        self.ends = time.monotonic() + seconds
        self.factor = factor
        self.nominal_s = self.took_s = 0.0

    @property
    def left_s(self) -> float:
        """Seconds left; negative when it is overrun."""
        return self.ends - time.monotonic()

    def allows(self, nominal_s: float) -> bool:
        """Whether something fits into what is left, as far as can be told; what is done cannot be cut."""
        return nominal_s * self.factor < self.left_s

    def learn(self, nominal_s: float, took_s: float) -> None:
        """Something was done in so many seconds."""
        self.nominal_s += nominal_s
        self.took_s += took_s
        if self.nominal_s > 0:  # 0 where all that was begun was left out
            self.factor = self.took_s / self.nominal_s
