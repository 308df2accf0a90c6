"""Two runs on one machine never time at once."""

import threading
import time

import pytest

from bench.process.turn import turn
from bench.process.workers import Ended


def test_turns_do_not_overlap(tmp_path):
    inside, most = [], []

    def timing():
        with turn(tmp_path / "lock") as held:
            assert held
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.05)
            inside.pop()

    threads = [threading.Thread(target=timing) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert most == [1, 1, 1, 1]


def test_work_that_is_not_timed_is_shared_and_never_beside_a_timing(tmp_path):
    lock, timed = tmp_path / "lock", threading.Event()

    def timing():
        with turn(lock):
            timed.set()

    with turn(lock, shared=True), turn(lock, shared=True):
        thread = threading.Thread(target=timing)
        thread.start()
        assert not timed.wait(0.1)
    assert timed.wait(10)
    thread.join()


def test_a_file_that_cannot_be_opened_holds_nothing_and_goes_on(tmp_path):
    with turn(tmp_path / "no such folder" / "lock") as held:
        assert not held


def test_a_worker_that_ends_in_its_turn_says_how(tmp_path):
    """An exception that cannot take a traceback would leave a context manager as another one."""
    with pytest.raises(Ended) as caught, turn(tmp_path / "lock"):
        raise Ended("timeout", "no answer within 4 s")
    assert (caught.value.outcome, caught.value.reason) == ("timeout", "no answer within 4 s")
    assert caught.value in {caught.value}
