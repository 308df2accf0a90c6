"""A host with several GPUs: a worker sees one, and what happens on it while points are timed is written down."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import bench.window
from bench.measure import Bench
from bench.meters.device import Gpu
from bench.meters.device_watch import DeviceWatch
from bench.point import Point, ProblemSpec
from bench.process import visibility
from bench.process.workers import Spawner
from bench.solo import Alone
from bench.timing import Entry
from tests.bench.fake_nvml import Card, FakeNvml, process

POINT = Point("ssm", "score_matching", ProblemSpec(), options={"probes": 1}, device="cuda:1", target="sm")


@pytest.fixture
def host(monkeypatch):
    """Two cards, which NVML lists in another order than torch, and a slice of the second."""
    first, second = Card("GPU-bb", sm_mhz=1400), Card("GPU-aa")
    part = Card("MIG-cc", of=second)
    nvml = FakeNvml(first, second, part)
    nvml.install(monkeypatch, "aa", "bb", "cc")
    return nvml


@pytest.mark.parametrize(
    ("ours", "device", "sees"),
    [
        (None, "cuda", "0"),
        (None, "cuda:1", "1"),
        ("3,1", "cuda", "3"),
        ("3,1", "cuda:1", "1"),
        ("GPU-aa, MIG-cc", "cuda:1", "MIG-cc"),
        ("0,-1,2", "cuda:1", "-1"),
        ("0", "cuda:1", "-1"),
        ("", "cuda", "-1"),
    ],
)
def test_a_worker_sees_one_device_counted_among_those_that_we_see(ours, device, sees):
    assert visibility.environment(device, {} if ours is None else {visibility.VARIABLE: ours}) == {
        visibility.VARIABLE: sees
    }


def test_workers_of_two_devices_see_one_each_under_the_same_name_and_rows_keep_theirs(monkeypatch):
    monkeypatch.setenv(visibility.VARIABLE, "GPU-aa,GPU-bb")
    with Bench() as bench:
        launchers = [bench._launcher(device) for device in ("cuda:0", "cuda:1", "cuda:0")]
        assert [launcher._environment[visibility.VARIABLE] for launcher in launchers] == ["GPU-aa", "GPU-bb", "GPU-aa"]
        assert Point.from_json(bench._opening(POINT)["point"]).device == "cuda"
        assert Point.from_json(bench._opening(replace(POINT, device="cpu"))["point"]).device == "cpu"
        assert bench.identity(POINT)["device"] == "cuda:1"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_environment_reaches_the_process():
    launcher = Spawner({visibility.VARIABLE: "GPU-bb"})
    worker = launcher.start()
    try:
        deadline, seen = time.monotonic() + 10, b""
        while b"bench.worker" not in seen and time.monotonic() < deadline:
            seen = Path(f"/proc/{worker.pid}/cmdline").read_bytes()
        environment = Path(f"/proc/{worker.pid}/environ").read_bytes().split(b"\0")
        assert f"{visibility.VARIABLE}=GPU-bb".encode() in environment
    finally:
        worker.close()
        launcher.close()


def test_a_watch_tells_ranges_reasons_and_strangers(host):
    card = host.cards[0]
    ours = [process(1), process(2)]
    watch = DeviceWatch("cuda:1", lambda: len(ours))
    for sm_mhz, reasons, listed in (
        (1400, 0x1, ours),
        (1200, 0x24, [*ours, process(3)]),
        (1300, 0x4, [*ours, process(os.getpid())]),  # we only look
    ):
        card.sm_mhz, card.reasons, card.processes = sm_mhz, reasons, listed
        watch.look()
    assert watch.facts() == {
        "sm_mhz": [1200, 1300, 1400],
        "memory_mhz": [2600, 2600, 2600],
        "power_w": [300.0, 300.0, 300.0],
        "sm_max_mhz": 1980,
        "memory_max_mhz": 2619,
        "power_limit_w": 700.0,
        "slowed_by": ["heat", "power"],
        "others": 1,
    }


def test_this_process_which_only_looks_is_no_stranger(host):
    host.cards[0].processes = [process(1), process(os.getpid())]
    watch = DeviceWatch("cuda:1", lambda: 1)
    watch.look()
    assert watch.others == 0


@pytest.mark.parametrize(
    ("bits", "why"),
    [(0x0, []), (0x3, []), (0x04, ["power"]), (0x08, ["hardware slowdown"]), (0x60, ["heat"]), (0x40, ["heat"]),
     (0x80, ["power brake"])],
)  # fmt: skip
def test_idleness_and_set_clocks_slow_nothing_down(host, bits, why):
    host.cards[1].reasons = bits
    assert Gpu("cuda:0").slowed_by() == why
    assert Gpu("cuda:2").slowed_by() == why  # a slice of it


def test_what_the_driver_refuses_is_named_and_the_rest_is_kept(host):
    host.refused = {"nvmlDeviceGetPowerUsage", "nvmlDeviceGetCurrentClocksThrottleReasons"}
    watch = DeviceWatch("cuda:0", lambda: 2)
    host.cards[1].processes = [process(7)]  # of another namespace, and one of ours is not listed
    watch.look()
    watch.look()
    facts = watch.facts()
    assert facts["sm_mhz"] == [1700, 1700, 1700] and "power_w" not in facts
    assert (facts["slowed_by"], facts["others"]) == ([], 0)
    assert facts["missing"] == {
        "power_w": "NVMLError: Not Supported",
        "slowed_by": "NVMLError: Not Supported",
        "others": "RuntimeError: the driver lists 1 processes where 2 are ours",
    }


def test_without_nvml_points_are_timed_all_the_same(host, monkeypatch):
    host.refused = {"nvmlInit"}
    assert DeviceWatch("cuda", lambda: 1).facts()["missing"] == {"nvml": "NVMLError: Not Supported"}
    monkeypatch.setitem(sys.modules, "pynvml", None)
    watch = DeviceWatch("cuda", lambda: 1)
    watch.look()
    assert "pynvml" in watch.facts()["missing"]["nvml"]


def test_a_slice_has_the_cards_clocks_and_nobodys_energy(host):
    part = Gpu("cuda:2")
    assert part.is_slice and part.handle.uuid == "MIG-cc" and part.card.uuid == "GPU-aa"
    assert part.clock_mhz("SM") == 1700 and part.power_w() == 300.0
    host.cards[1].processes, host.cards[2].processes = [process(1), process(2)], [process(1)]
    assert part.others() == 0 and Gpu("cuda:0").others() == 1
    with pytest.raises(RuntimeError, match="no counter of its own"):
        part.energy_j(lambda: None)
    assert not Gpu("cuda:0").is_slice


class _Worker:
    """A worker in which nothing goes wrong."""

    pid, launcher = 0, type("", (), {"must_wait": False})

    def ask(self, request, timeout_s, on_part=None, sample_s=0.0):
        if request["do"] == "warm_up":
            return {"outcome": "ok", "typical_s": 0.01}
        block = {"median_s": 0.01, "samples": 1, "device_s": 0.009}
        return {"outcome": "ok", "blocks": dict.fromkeys(request["lengths_s"], block)}

    def end(self):
        pass

    def printed(self):
        return ""


@pytest.mark.parametrize(
    ("reasons", "strangers", "mark", "says"),
    [(0x0, 0, "stable", ""), (0x40, 0, "noisy", "throttled"), (0x0, 1, "noisy", "1 other processes computed")],
)
def test_a_row_timed_beside_another_process_or_throttled_is_marked(host, monkeypatch, reasons, strangers, mark, says):
    monkeypatch.setattr(bench.window, "_entry", lambda *_: Entry(_Worker()))
    machinery = type("", (), {"rates": lambda *_: None, "limits": type("", (), {"timeout_s": 1.0})})
    card = host.cards[0]
    card.reasons, card.processes = reasons, [process(n) for n in range(2 + strangers)]
    alone = Alone(POINT, {"duration_s": 0.0, "outcome": "ok", "extra": {"others_on_device": 0, "throttled": False}})
    (row,) = bench.window.time_window(machinery, [alone], Entry(_Worker()))
    assert row["extra"]["quality"] == mark and says in row["extra"]["quality_reason"]
    assert row["extra"]["device_while_timed"]["sm_mhz"] == [1400, 1400, 1400]
    cpu = replace(alone, point=replace(POINT, device="cpu"))
    (row,) = bench.window.time_window(machinery, [cpu], Entry(_Worker()))
    assert "device_while_timed" not in row["extra"]
