"""Slots on this machine: Dask workers that own an equal share of its cores each, as a batch queue would give them."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dask
from distributed import LocalCluster, Nanny, Worker

from bench.cluster.duty import RESOURCE

UNOBTRUSIVE = {
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.scheduler.work-stealing": False,
    "distributed.worker.memory.monitor-interval": "1s",
    "distributed.worker.profile.enabled": False,
}
"""Dask looks at itself and at what its threads do, up to a hundred times a second. That costs an idle worker some 25 ms
a second, and the scheduler as much; with these, 4. A unit is for one worker, so there is nothing to steal."""


def shares(count: int) -> list[list[int]]:
    """The usable cores in ``count`` equal parts that are disjoint; with fewer cores than parts each has one, in turn.

    Threads of one physical core follow each other, so that parts share no core where they need not; what does not go
    round stays free, for the coordinator.
    """
    cores = sorted(os.sched_getaffinity(0), key=_place) if hasattr(os, "sched_getaffinity") else []
    if not cores:  # cannot be pinned
        return [list(range(max(1, (os.cpu_count() or 1) // count)))] * count
    size = len(cores) // count
    return [cores[i * size : (i + 1) * size] or [cores[i % len(cores)]] for i in range(count)]


def _place(core: int) -> tuple[int, int, int]:
    topology = Path(f"/sys/devices/system/cpu/cpu{core}/topology")
    try:
        package, physical = (int((topology / name).read_text()) for name in ("physical_package_id", "core_id"))
    except (OSError, ValueError):
        return 0, core, core
    return package, physical, core


class OnCores(Worker):
    """A Dask worker that is pinned, and with it all that it starts."""

    def __init__(self, *args: Any, cores: Sequence[int], **options: Any) -> None:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, cores)
        super().__init__(*args, **options)


class Slot(Nanny):
    """Starts the worker of its number on its share of the cores, and anew when it dies."""

    def __init__(self, scheduler: str, *, name: int, parts: Sequence[Sequence[int]], **options: Any) -> None:
        super().__init__(scheduler, name=name, worker_class=OnCores, cores=list(parts[name]), **options)


@contextlib.contextmanager
def slots(parts: Sequence[Sequence[int]]) -> Iterator[LocalCluster]:
    """A scheduler in this process and a worker on each part of the cores, on the loopback interface."""
    with (
        dask.config.set(UNOBTRUSIVE),
        LocalCluster(
            n_workers=len(parts),
            threads_per_worker=len(parts[0]),
            worker_class=Slot,
            parts=parts,
            host="127.0.0.1",
            dashboard_address=None,
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            silence_logs=logging.CRITICAL,
            resources={RESOURCE: 1},
        ) as cluster,
    ):
        yield cluster
