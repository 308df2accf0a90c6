"""What a point may take is counted from when its worker is there, and by nobody but the coordinator."""

from __future__ import annotations

import contextlib
import os
import threading
import time

import pytest

from bench.process.channel import Channel, Closed
from bench.process.output import Output
from bench.process.workers import Ended, Worker


class _Launcher:
    """Ends what was never started."""

    killed: int | None = None

    def kill(self, pid):
        self.killed = pid


def _worker(*messages):
    """A worker that sends each message so many seconds after the one before, and then says nothing."""
    ours, theirs = Channel.pair()

    def talk():
        with contextlib.suppress(Closed):
            for after_s, message in messages:
                if after_s:
                    time.sleep(after_s)
                theirs.send(message)
            theirs.receive()  # what it was asked
            theirs.receive()

    threading.Thread(target=talk, daemon=True).start()
    output = Output()
    os.close(output.descriptor)
    return Worker(os.getpid(), ours, output, _Launcher(), None)


READY = {"ready": 1}


def test_a_rehearsal_is_not_counted():
    worker = _worker((1.5, READY), (0, {"answer": "first"}), (0.1, {"answer": "second"}))
    assert worker.ask({"do": "open"}, 1.0, sample_s=0.02) == "first"
    assert worker.ask({"do": "solo"}, 1.0, sample_s=0.02) == "second"


@pytest.mark.parametrize(
    ("every_s", "meanwhile", "times"),
    [(0.1, READY, 200), (0.1, {"part": {}}, 200), (0, {"part": {}}, 10_000)],
    ids=["ready again and again", "parts", "a flood of parts"],
)
def test_whoever_is_there_has_its_time_and_no_more(every_s, meanwhile, times):
    worker = _worker((0, READY), *[(every_s, meanwhile)] * times)
    started = time.monotonic()
    with pytest.raises(Ended) as ended:
        worker.ask({"do": "solo"}, 0.3, on_part=lambda _: time.sleep(0.002), sample_s=0.02)  # more comes than is read
    assert (ended.value.outcome, ended.value.reason) == ("timeout", "no answer within 0.3 s")
    assert time.monotonic() - started < 10 and worker.launcher.killed == os.getpid()


def test_a_worker_that_never_comes_is_given_up(monkeypatch):
    monkeypatch.setattr("bench.process.workers.START_TIMEOUT_S", 0.3)
    with pytest.raises(Ended, match="no answer within 0.3 s"):
        _worker().ask({"do": "open"}, 60.0, sample_s=0.02)
