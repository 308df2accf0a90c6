"""Units on their way: how points leave and come back as rows, and what a lost worker's points are charged with.

A point that was under way when its worker died is measured once more, alone on another one; a second death is its
outcome. Points that merely waited in the same unit go elsewhere together and are charged with nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from bench.cluster.crew import Member
from bench.point import Point

DEATHS = 2


@dataclass
class Charged:
    """A point on its way, and the workers that died while it was measured."""

    point: Point
    deaths: list[str] = field(default_factory=list)


@dataclass
class Flight:
    """A unit on a worker: points by their keys there, and which of them are being measured."""

    number: int
    address: str
    points: dict[str, Charged]
    started: float
    nominal_s: float = 0.0
    under_way: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.names = list(self.points)
        self.sent = [one.point for one in self.points.values()]

    def began(self, places: Iterable[int]) -> None:
        """These are being measured."""
        self.under_way |= {self.names[place] for place in places}

    def landed(self, name: str, last: bool) -> None:
        """A row of this point came; the last one takes it out."""
        self.under_way.discard(name)
        if last:
            del self.points[name]


@dataclass
class Waiting:
    """Units that no worker has taken yet: suspects alone and last, all others in their order."""

    fresh: deque[list[Charged]]
    suspects: deque[list[Charged]] = field(default_factory=deque)

    def __len__(self) -> int:
        return len(self.fresh) + len(self.suspects)

    def take(self, member: Member) -> list[Charged] | None:
        """The first unit that a worker can measure: it has the device, and a core for each thread."""
        for units in (self.fresh, self.suspects):
            for place, unit in enumerate(units):
                if member.can(unit[0].point):
                    del units[place]
                    return unit
        return None

    def suits(self, member: Member) -> bool:
        """Whether there is a unit that a worker can measure."""
        return any(member.can(unit[0].point) for units in (self.fresh, self.suspects) for unit in units)

    def lost(self, flight: Flight, why: str) -> list[tuple[str, Charged]]:
        """Charge the points of a lost flight and put them in line again; returns those that are given up, by key."""
        whole = not flight.under_way  # it died over what all share, their references
        charged = {name for name in flight.points if whole or name in flight.under_way}
        for name in charged:
            flight.points[name].deaths.append(f"{flight.address} ({why})")
        given_up = [(name, one) for name, one in flight.points.items() if len(one.deaths) >= DEATHS]
        again = [one for one in flight.points.values() if len(one.deaths) < DEATHS]
        alone = [one for one in again if one.deaths and not whole]
        together = [one for one in again if not one.deaths or whole]
        if together:
            (self.suspects.append if whole else self.fresh.appendleft)(together)
        self.suspects.extend([one] for one in alone)
        return given_up
