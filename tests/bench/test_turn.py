"""Two runs on one machine never time at once."""

import threading
import time

from bench.process.turn import turn


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


def test_a_file_that_cannot_be_opened_holds_nothing_and_goes_on(tmp_path):
    with turn(tmp_path / "no such folder" / "lock") as held:
        assert not held
