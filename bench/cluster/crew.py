"""The Dask workers that measure for a run: each has proved its versions, or is refused with one line."""

from __future__ import annotations

import contextlib
import itertools
import json
import queue
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.cluster import duty
from bench.cluster.errors import ClusterError
from bench.cluster.proof import difference, proof
from bench.cluster.settings import Settings

if TYPE_CHECKING:
    from distributed import Client

    from bench.point import Point

WORKERS_WITHIN_S = 120.0
ANOTHER_WITHIN_S = 20.0  # where those who are there may not measure, and one may be starting anew
DISMISS_WITHIN_S = 3.0


@dataclass
class Member:
    """A worker that may measure: the hardware class of each device it has, its machine's fingerprint, its cores."""

    address: str
    classes: dict[str, str]
    machine: str
    cores: int

    def can(self, point: Point) -> bool:
        """Whether it has the device, and a core for each thread: threads that share one would be timed as slow."""
        return point.device in self.classes and point.threads <= self.cores


@dataclass
class Crew:
    """Who may measure; looked at again and again, since workers come and go.

    Attributes:
        client: of the scheduler.
        settings: how to measure.
        devices: which devices the points ask for.
        threads: how many the points ask for at most.
        members: address → worker.
        refused: address → why.
        numbers: of units, none used twice in a session: Dask keeps what it knows of one for a while.
        kinds: device → hardware class → the fingerprint of the first machine of it that was seen.
    """

    client: Client
    settings: Settings
    devices: frozenset[str]
    threads: int = 1
    session: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    members: dict[str, Member] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, dict[str, str]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self._message = self.settings.message(self.session, self.devices)
        self._proof = proof()
        self._asked: set[str] = set()
        self._answers: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()

    def look(self) -> tuple[set[str], list[str]]:
        """See who came and who went; returns the addresses of members lost, and a line for each worker refused.

        Raises:
            ClusterError: the scheduler does not answer.
        """
        try:
            here = set(self.client.nthreads())
            came = here - self._asked
            offers = self.client.scheduler_info(n_workers=-1)["workers"] if came else {}
        except Exception as error:  # Dask raises its own, and those of sockets, event loops and futures
            why = type(error).__name__
            line = f"the Dask scheduler does not answer any more ({why}); the same command goes on once one does"
            raise ClusterError(line) from error
        lines = []
        for address in came & set(offers):
            self._asked.add(address)
            if offers[address].get("resources", {}).get(duty.RESOURCE, 0) < 1:
                why = f"it offers no resource {duty.RESOURCE!r}: start it with --resources '{duty.RESOURCE}=1'"
                lines += self._refuse(address, why)
            else:
                threading.Thread(target=self._ask, args=(address,), daemon=True).start()
        while not self._answers.empty():
            lines += self._judge(*self._answers.get())
        lost = set(self.members) - here
        for address in lost:
            del self.members[address]
        self._asked &= here  # one that comes back at the same address is another process
        return lost, lines

    def assemble(self) -> list[str]:
        """Wait until everybody who is there has answered; returns a line for each worker refused.

        Raises:
            ClusterError: there is no worker, none may measure, or none has a device that the points ask for.
        """
        try:
            self.client.run_on_scheduler(duty.is_here)
        except Exception as error:  # Dask's own, with what the scheduler raised in it
            raise ClusterError(f"the Dask scheduler {_without_bench(error) or error}") from error
        deadline, lines = time.monotonic() + WORKERS_WITHIN_S, []
        while time.monotonic() < deadline:
            lines += self.look()[1]
            if self._asked and not self._asked - set(self.members) - set(self.refused):
                break
            time.sleep(0.1)
        if not self._asked:
            raise ClusterError(f"no worker has joined the Dask scheduler within {WORKERS_WITHIN_S:.0f} s")
        if not self.members:
            raise ClusterError("; ".join(lines) or f"no worker was ready within {WORKERS_WITHIN_S:.0f} s")
        for device in self.devices:
            if not self.classes(device):
                raise ClusterError(f"no worker has the device {device}, which the sweep asks for")
        if (most := max(member.cores for member in self.members.values())) < self.threads:
            raise ClusterError(f"points of {self.threads} threads need as many cores; no worker has more than {most}")
        return lines

    def may_wait(self, since: float) -> bool:
        """Whether somebody may still come who measures, when nobody has since a time of ``time.monotonic()``."""
        return time.monotonic() - since < (ANOTHER_WITHIN_S if self._asked else WORKERS_WITHIN_S)

    def classes(self, device: str) -> list[str]:
        """The hardware classes that could measure on a device since the run began, in a fixed order."""
        return sorted(self.kinds.get(device, ()))

    def drop(self, address: str, why: str) -> list[str]:
        """Give a member no further unit; returns the line that says so."""
        self.members.pop(address, None)
        return self._refuse(address, why)

    def dismiss(self) -> None:
        """End what stands ready on the workers, as far as they can be reached."""
        addresses = list(self._asked)  # refused ones too: a foreman proved what was refused

        def send() -> None:
            with contextlib.suppress(Exception):  # Dask's own; a foreman nobody asks ends by itself
                self.client.run(duty.dismiss, self.session, workers=addresses, on_error="ignore")

        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        thread.join(DISMISS_WITHIN_S)

    def _ask(self, address: str) -> None:
        try:
            answers = self.client.run(duty.enlist, self._message, workers=[address], on_error="return")
            self._answers.put((address, answers.get(address, {"failed": "it left"})))
        except Exception as error:
            self._answers.put((address, error))

    def _judge(self, address: str, answer: Any) -> list[str]:
        if isinstance(answer, BaseException):
            return self._refuse(address, _without_bench(answer) or f"{type(answer).__name__}: {answer}")
        if why := answer.get("failed") or difference(self._proof, answer["proof"]):
            return self._refuse(address, why)
        cores = json.loads(answer["machine"])["cores_usable"]
        self.members[address] = Member(address, answer["classes"], answer["machine"], cores)
        for device, kind in answer["classes"].items():
            self.kinds.setdefault(device, {}).setdefault(kind, answer["machine"])
        self.refused.pop(address, None)
        return []

    def _refuse(self, address: str, why: str) -> list[str]:
        self.refused[address] = why
        return [f"worker {address} refused: {' '.join(why.split())}"]


def _without_bench(error: BaseException) -> str:
    """What to do where our package is not found, which Dask tells in exceptions of its own; empty for other errors."""
    if "No module named 'bench" not in str(error):
        return ""
    return "cannot import bench: start it with this checkout's folder on PYTHONPATH"
