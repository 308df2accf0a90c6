"""The coordinator of a run on a cluster: one unit at a time to each worker; what comes back is taken and committed."""

from __future__ import annotations

import contextlib
import json
import queue
import time
from collections import Counter, deque
from dataclasses import dataclass, field

from distributed import Future

from bench import runner
from bench.cluster import duty
from bench.cluster.crew import Crew, Member
from bench.cluster.errors import ClusterError
from bench.cluster.flights import Charged, Flight, Waiting
from bench.cluster.landing import Landing
from bench.cluster.pace import Pace
from bench.forecast import order
from bench.forecast.budget import Budget
from bench.measure import Row
from bench.store import Store
from bench.window import POINTS_IN_A_WINDOW

LOOK_S = 1.0  # between looks at who came and who went


def run(
    plan: runner.Plan,
    store: Store,
    crew: Crew,
    watcher: runner.Watcher | None = None,
    budget: Budget | None = None,
) -> Counter[str]:
    """Have a crew measure what a plan still lacks, and commit rows as they come.

    Args:
        plan: what is to be done, made with ``crew.classes``.
        store: where rows go; this process alone writes it.
        crew: who measures; assembled.
        watcher: is told what happens.
        budget: the time there is; with one, units are a window's worth of points, what is cheap and new first, and one
            is not sent out that would not end in time.

    Returns:
        How many points ended in each outcome.

    Raises:
        ClusterError: the scheduler is lost, or nobody is left to measure; what was measured is in the store.
    """
    points = plan.todo.values()
    units = order.turns(points, lambda point: POINTS_IN_A_WINDOW) if budget is not None else order.whole(points)
    waiting = Waiting(deque([Charged(point) for point in unit] for unit in units))
    landing = Landing(plan, store, watcher or runner.Watcher())
    going = _Run(plan, crew, waiting, landing, Pace(budget or Budget()))
    crew.client.subscribe_topic(duty.TOPIC, lambda event: going.inbox.put(event[1]))
    try:
        going.skip()
        while going.flights or waiting:
            going.assign()
            going.listen()
            going.look()
    finally:
        going.stop()
    return landing.outcomes


@dataclass
class _Run:
    """One run under way."""

    plan: runner.Plan
    crew: Crew
    waiting: Waiting
    landing: Landing
    pace: Pace
    inbox: queue.SimpleQueue[str | tuple[int, Future]] = field(default_factory=queue.SimpleQueue)
    flights: dict[int, Flight] = field(default_factory=dict)
    futures: dict[int, Future] = field(default_factory=dict)
    looked: float = 0.0
    last_busy: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.machines: dict[str, str] = {}  # of members that left

    # Out

    def skip(self) -> None:
        """Write down skipped points, under the first class of machine that could have measured them."""
        for name, (point, reason) in self.plan.skips.items():
            kinds, first = self.crew.kinds[point.device], self.crew.classes(point.device)[0]
            self.landing.unmeasured(point, name, kinds[first], "skipped", reason)
        self.landing.commit()

    def assign(self) -> None:
        """Give every worker without a unit the next one that it can measure in time; what is too dear is left out."""
        busy = {flight.address for flight in self.flights.values()}
        for member in list(self.crew.members.values()):
            while member.address not in busy and (unit := self.waiting.take(member)) is not None:
                names = [runner.key_of(one.point, member.classes[one.point.device]) for one in unit]
                known = {name: self.plan.solo_done[name] for name in names if name in self.plan.solo_done}
                done = {name: row for name, row in known.items() if row["machine"] == member.machine}
                points = dict(zip(names, unit, strict=True))
                nominal_s = self.pace.nominal_s(member.machine, {n: one.point for n, one in points.items()}, done)
                if self.pace.budget.allows(nominal_s):
                    self._send(member, points, done, nominal_s)
                    break

    def _send(self, member: Member, unit: dict[str, Charged], done: dict[str, Row], nominal_s: float) -> None:
        flight = Flight(next(self.crew.numbers), member.address, unit, time.monotonic(), nominal_s)
        points = [one.point.to_json() for one in unit.values()]
        text = json.dumps({"names": flight.names, "points": points, "solo_done": done, **self.pace.message()})
        self.machines[member.address] = member.machine
        future = self.crew.client.submit(
            duty.measure,
            self.crew.session,
            flight.number,
            text,
            key=f"{self.crew.session}-{flight.number}",
            workers=[member.address],
            allow_other_workers=False,
            resources={duty.RESOURCE: 1},
            retries=0,
            pure=False,
        )
        self.flights[flight.number], self.futures[flight.number] = flight, future
        future.add_done_callback(lambda ended, number=flight.number: self.inbox.put((number, ended)))

    # Back

    def listen(self) -> None:
        """Wait a moment for something, take all that came, and commit it: before anybody gets another unit."""
        try:
            self._take(self.inbox.get(timeout=LOOK_S))
        except queue.Empty:
            return
        self.drain()

    def drain(self) -> None:
        """Take what lies there, without waiting for more, and commit it together: a commit waits for the disk."""
        for _ in range(self.inbox.qsize()):
            self._take(self.inbox.get())
        self.landing.commit()

    def _take(self, message: str | tuple[int, Future]) -> None:
        if not isinstance(message, str):
            self._ended(*message)
            return
        said = json.loads(message)
        flight = self.flights.get(said["unit"])
        if said["session"] != self.crew.session or flight is None:  # another run's, or of a worker given up
            return
        if "stage" in said:
            self.landing.watcher.on_stage(said["stage"])
        elif "begin" in said:
            flight.began(said["begin"])
        elif "row" in said:
            self._row(flight, said["row"], said["finished"])

    def _row(self, flight: Flight, row: Row, finished: bool) -> None:
        name = row["key"]
        if name not in flight.points:
            return
        self.landing.add(row, finished)
        flight.landed(name, finished or not self.crew.settings.timed)
        if finished:
            self.plan.solo_done.pop(name, None)
        else:
            self.plan.solo_done[name] = row

    def _ended(self, number: int, future: Future) -> None:
        flight = self.flights.get(number)
        if flight is None:
            return
        why, said = "it returned without some rows", {}
        if future.status == "finished":
            try:
                said = future.result(timeout=30)
                why = str(said.get("failed", why))
            except Exception as error:
                why = f"{type(error).__name__}: {error}"
        elif future.status == "error":
            raised = future.exception()
            why = f"{type(raised).__name__}: {raised}"
        if flight.points and not said.get("out_of_time"):
            for line in self.crew.drop(flight.address, why):
                self.landing.watcher.on_note(line)
            self._lost(flight, why)
        else:
            self.pace.landed(flight, self.machines[flight.address], said)
        self._forget(number)

    # Lost workers

    def look(self) -> None:
        """See who came and who went, once in a while.

        Raises:
            ClusterError: the scheduler does not answer, or nobody is left.
        """
        if time.monotonic() - self.looked < LOOK_S:
            return
        self.looked = time.monotonic()
        lost, lines = self.crew.look()
        self.drain()  # what a worker said before it was lost
        for line in lines:
            self.landing.watcher.on_note(line)
        for flight in [flight for flight in self.flights.values() if flight.address in lost]:
            self.landing.watcher.on_note(f"worker {flight.address} is lost; what it had not finished goes elsewhere")
            self._lost(flight, "the worker is gone")
            self._forget(flight.number)
        if self.flights or not self.waiting or any(map(self.waiting.suits, self.crew.members.values())):
            self.last_busy = time.monotonic()
            return
        self.landing.watcher.on_stage("waiting for a worker")
        if not self.crew.may_wait(self.last_busy):
            raise ClusterError("no worker is left to measure; the same command goes on from here")

    def _lost(self, flight: Flight, why: str) -> None:
        spent_s = time.monotonic() - flight.started
        for name, one in self.waiting.lost(flight, why):
            reason = "two Dask workers failed while it was measured: " + "; ".join(one.deaths)
            self.landing.unmeasured(one.point, name, self.machines[flight.address], "crashed", reason, spent_s)
        self.landing.commit()

    def _forget(self, number: int) -> None:
        self.flights.pop(number, None)
        future = self.futures.pop(number)
        if not future.done():
            future.cancel()
        future.release()

    def stop(self) -> None:
        """Want no more of what is under way, which ends it on the workers."""
        self.drain()
        with contextlib.suppress(Exception):  # Dask's own: the scheduler may have gone
            self.crew.client.unsubscribe_topic(duty.TOPIC)
            for number in list(self.flights):
                self._forget(number)
