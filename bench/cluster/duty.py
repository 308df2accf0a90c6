"""What runs inside a Dask worker: it starts a foreman, hands it units, and relays what it says. It imports no torch.

These functions are all that Dask pickles, and by name; everything else travels as text.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from typing import Any

from distributed import get_worker
from distributed.worker import Worker

from bench.process.channel import Channel, Closed
from bench.process.output import Output
from bench.process.workers import python

TOPIC = "estimator-bench"  # of all runs: Dask's scheduler keeps the last 1000 events of each topic
RESOURCE = "timing"
READY_WITHIN_S = 300.0  # importing torch from a network file system takes its time
LOOK_S = 0.5  # between looks at whether a unit is still wanted


class _Foreman:
    """One run's foreman on this worker; started anew where it has gone."""

    def __init__(self, settings: dict[str, Any], worker: Worker) -> None:
        self.lock = threading.Lock()
        self.folder = tempfile.mkdtemp(prefix="estimator-bench-", dir=worker.local_directory)
        limit = worker.memory_manager.memory_limit
        memory = (
            settings["memory_bytes"] or (limit or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")) * 4 // 5
        )
        jobs = settings["jobs"] or worker.state.nthreads
        self.settings = {**settings, "memory_bytes": memory, "jobs": jobs, "folder": self.folder}
        self.process: subprocess.Popen[bytes] | None = None
        self.said: dict[str, Any] = {}

    def ready(self) -> dict[str, Any]:
        """Have it run; returns what it proved, or how it failed."""
        with self.lock:
            if self.process is None or self.process.poll() is not None:
                self.said = self._start()
            return self.said

    def _start(self) -> dict[str, Any]:
        self.channel, theirs = Channel.pair()
        self.output = Output()
        environment = {**os.environ}
        environment.pop("MALLOC_TRIM_THRESHOLD_", None)  # Dask's, for its own process; a local run has none
        self.process = subprocess.Popen(
            python("from bench.cluster.foreman import main", f"main({theirs.fileno()})"),
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=self.output.descriptor,
            stderr=self.output.descriptor,
            env=environment,
            start_new_session=True,  # Ctrl-C is the coordinator's
        )
        theirs.close()
        os.close(self.output.descriptor)
        try:
            self.channel.send(self.settings)
            return dict(self.channel.receive(time.monotonic() + READY_WITHIN_S))
        except TimeoutError:
            self.stop()
            return {"failed": f"its foreman was not ready within {READY_WITHIN_S:.0f} s"}
        except Closed:
            return {"failed": self.how_it_ended()}

    def how_it_ended(self) -> str:
        """Its exit status and the last line it printed."""
        assert self.process is not None
        self.stop()
        lines = self.output.text().splitlines()
        return f"its foreman ended with status {self.process.returncode}: {lines[-1] if lines else 'it said nothing'}"

    def stop(self) -> None:
        """End it and all that it started: the end of its channel does."""
        if self.process is not None:
            self.channel.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=5.0)
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


_foremen: dict[str, _Foreman] = {}


def is_here() -> bool:
    """Asked of the scheduler: it reads the names of tasks, and has to find them."""
    return True


async def enlist(text: str, dask_worker: Worker) -> dict[str, Any]:
    """Have a foreman stand ready for a run; returns its proof, classes and machine, or how it ``failed``."""
    settings = json.loads(text)
    if settings["session"] not in _foremen:
        _foremen[settings["session"]] = _Foreman(settings, dask_worker)
    return await asyncio.to_thread(_foremen[settings["session"]].ready)


def measure(session: str, number: int, text: str) -> dict[str, Any]:
    """A unit: what the foreman says becomes events; returns once it is done, or how it ``failed``."""
    worker = get_worker()
    task = worker.get_current_task()
    foreman = _foremen.get(session)
    if foreman is None:
        return {"failed": "the Dask worker was started anew"}
    if (said := foreman.ready()).get("failed"):
        return said
    try:
        foreman.channel.send(json.loads(text))
        while True:
            try:
                message = foreman.channel.receive(time.monotonic() + LOOK_S)
            except TimeoutError:
                if worker.state.tasks[task].state != "executing":  # the coordinator wants it no more, or has gone
                    foreman.stop()
                    return {"failed": "cancelled"}
                continue
            if "done" in message or "failed" in message:
                return dict(message)
            worker.log_event(TOPIC, json.dumps({"session": session, "unit": number, **message}))
    except Closed:
        return {"failed": foreman.how_it_ended()}


async def dismiss(session: str) -> None:
    """End a run's foreman, whatever it does, and remove its folder."""
    if foreman := _foremen.pop(session, None):
        await asyncio.to_thread(foreman.stop)
        shutil.rmtree(foreman.folder, ignore_errors=True)
