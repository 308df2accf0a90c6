"""The process that measures units on a cluster's machine: a run like a local one, whose rows go up a channel.

It stands beside the Dask worker and not in it, so that what is measured is the code on disk now, a plugin leaves
nothing behind in the worker, and ending it ends all that it started.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import socket
import threading
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

import estimators
from bench import machine, problems, runner
from bench.cluster import parcel
from bench.cluster.proof import proof
from bench.forecast.budget import Budget
from bench.measure import Bench, Limits, Row
from bench.point import Point
from bench.process import turn
from bench.process.channel import Channel, Closed

IDLE_S = 600.0  # after so long without a unit it leaves; the next one starts another


def main(descriptor: int) -> None:
    """Serve one run's units on the socket ``descriptor`` until the Dask worker goes."""
    channel = Channel(socket.socket(fileno=descriptor))
    orders: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(channel, orders), daemon=True).start()
    try:
        _serve(channel, orders)
    except queue.Empty:
        pass
    except BaseException as error:
        traceback.print_exc()
        with contextlib.suppress(Closed):
            channel.send({"failed": " ".join(f"{type(error).__name__}: {error}".split())[:500]})


def _listen(channel: Channel, orders: queue.SimpleQueue[dict[str, Any]]) -> None:
    with contextlib.suppress(Closed):
        while True:
            orders.put(channel.receive())
    os._exit(0)  # fork-server and workers see the end of their pipes, and end


def _serve(channel: Channel, orders: queue.SimpleQueue[dict[str, Any]]) -> None:
    settings = orders.get()
    folder = Path(settings["folder"])
    plugins = parcel.unpack(settings["plugins"], folder / "plugins")
    files = parcel.unpack(settings["problems"], folder / "problems")
    for path in files:
        problems.load_file(path)
    for path in plugins:
        estimators.load_file(path)
    limits = Limits(settings["timeout_s"], settings["memory_bytes"])
    with Bench(limits, plugins, files, settings["predict"]) as bench:
        channel.send(
            {
                "proof": proof(),
                "classes": {device: machine.hardware_class(device) for device in settings["devices"] if _has(device)},
                "machine": json.dumps(machine.fingerprint(), sort_keys=True),
            }
        )
        while True:
            unit = orders.get(timeout=IDLE_S)
            channel.send({"done": True, **_measure(unit, channel, bench, settings)})


def _measure(unit: dict[str, Any], channel: Channel, bench: Bench, settings: dict[str, Any]) -> dict[str, Any]:
    """Measure a unit, if there is a budget as much of it as there is time for; returns what a budget learns from it."""
    points = {name: Point.from_json(line) for name, line in zip(unit["names"], unit["points"], strict=True)}
    for name, point in points.items():
        if runner.key_of(point) != name:
            raise RuntimeError(
                f"{point.label} is another point here: its estimator, its data or the hardware are not those proved"
            )
    places = {name: place for place, name in enumerate(points)}
    plan = runner.Plan(todo=points, solo_done=unit["solo_done"])

    def begin(some: Sequence[Point]) -> None:
        channel.send({"begin": [places[runner.key_of(point)] for point in some]})

    watcher = runner.Watcher(on_stage=lambda text: channel.send({"stage": text}), on_begin=begin)
    budget = None if unit["left_s"] is None else Budget(unit["left_s"], unit["factor"])
    going = plan, _Outbox(channel), bench, settings["jobs"], watcher, budget
    ended = runner.run(*going, beside=beside, timed=settings["timed"])
    if budget is None:
        return {}
    return {"out_of_time": ended.total() < len(points), "nominal_s": budget.nominal_s, "took_s": budget.took_s}


class _Outbox:
    """Rows on their way to the coordinator, which keeps the store."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    def put(self, row: Row, finished: bool = True, *, replace: bool = False) -> bool:
        """Send a row; the coordinator knows what it replaces."""
        return self.put_many([(row, finished)]) == 1

    def put_many(self, rows: Iterable[tuple[Row, bool]], *, replace: bool = False) -> int:
        """Send rows."""
        sent = 0
        for row, finished in rows:
            self.channel.send({"row": row, "finished": finished})
            sent += 1
        return sent


@contextlib.contextmanager
def beside(device: str) -> Iterator[None]:
    """While this is held nobody times on this machine; on a GPU it is held by one alone.

    Workers of one machine know nothing of each other: passes without timing run side by side, a timing has the machine
    to itself, and a GPU's memory and energy belong to all that run on it.
    """
    with turn.turn(shared=True), turn.turn(_lock_of(device)) if device.startswith("cuda") else contextlib.nullcontext():
        yield


def _lock_of(device: str) -> Path:
    index = int(device.partition(":")[2] or 0)
    identity = torch.cuda.get_device_properties(index).uuid
    return turn.LOCK.with_name(f"estimator-bench-{identity}.lock")


def _has(device: str) -> bool:
    if not device.startswith("cuda"):
        return True
    return int(device.partition(":")[2] or 0) < len(machine.gpus())
