"""What a run remembers of its workers does not grow with their number."""

from __future__ import annotations

import pytest

from bench.process import workers
from bench.verbs._progress import PointProgress


@pytest.mark.parametrize(("launcher", "remembered"), [(workers.ForkServer, "_exits"), (workers.Spawner, "_processes")])
def test_a_launcher_remembers_the_last_workers_that_ended_and_how(launcher, remembered, monkeypatch):
    monkeypatch.setattr(workers, "ENDED_KEPT", 2)
    started = launcher()
    try:
        ended = []
        for _ in range(5):
            worker = started.start()
            worker.kill()
            assert worker.launcher.wait(worker.pid, timeout_s=20.0) == -9
            ended.append(worker.pid)
            worker.close()
        kept = list(getattr(started, remembered))
        assert len(kept) <= 3 and kept[-2:] == ended[-2:]
    finally:
        started.close()


def test_the_bar_forgets_a_point_that_has_ended():
    progress = PointProgress(type("", (), {"__len__": lambda self: 2, "solo_done": {}})())
    with progress as watcher:
        for key in ("a", "b"):
            watcher.on_solo({"key": key})
            watcher.on_row({"key": key, "outcome": "ok"})
        assert not progress.solo_keys and progress.progress.tasks[0].completed == 4
