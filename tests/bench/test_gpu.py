"""CUDA and NVML: at the boundary with a stand-in for the driver, and for real where there is a device."""

from types import SimpleNamespace

import pytest
import torch

from bench.meters import clock, device, memory, prediction
from tests.bench.fake_nvml import Card, FakeNvml


@pytest.fixture
def gpu(monkeypatch):
    nvml = FakeNvml(Card("GPU-0a1b2c3d"))
    nvml.install(monkeypatch, "0a1b2c3d")
    return device.Gpu("cuda:0"), nvml


def test_the_device_is_found_by_its_uuid_not_its_index(gpu):
    assert gpu[0].handle.uuid == "GPU-0a1b2c3d"


def test_energy_is_the_counter_over_the_calls_in_joules(gpu):
    meter, nvml = gpu

    def call():
        nvml.cards[0].energy_mj += 500

    assert meter.energy_j(call, at_least_s=0.001) == pytest.approx(0.5)


def test_the_process_and_the_others_are_told_apart(gpu, monkeypatch):
    meter, nvml = gpu
    monkeypatch.setattr(device.os, "getpid", lambda: 42)
    assert meter.process_bytes() is None
    nvml.cards[0].processes = [SimpleNamespace(pid=42, usedGpuMemory=7), SimpleNamespace(pid=43, usedGpuMemory=9)]
    assert meter.process_bytes() == 7
    assert meter.others() == 1


def test_in_a_container_one_of_the_listed_processes_is_ourselves(gpu):
    meter, nvml = gpu
    assert meter.others() == 0
    nvml.cards[0].processes = [SimpleNamespace(pid=1_000_001, usedGpuMemory=None)]
    assert meter.others() == 0
    assert meter.process_bytes() is None


def test_a_reading_that_the_driver_refuses_does_not_cost_the_row(gpu, monkeypatch):
    from bench import worker
    from bench.meters import device as devices

    class Refusing:
        def __init__(self, device):
            pass

        def process_bytes(self):
            return 7

        def energy_j(self, call):
            raise RuntimeError("Not Supported")

        def throttled(self):
            return False

        def others(self):
            return 0

    parts = {}
    desk = worker._Desk(SimpleNamespace(send=lambda message: parts.update(message["part"])))
    desk.point = SimpleNamespace(device="cuda")
    monkeypatch.setattr(devices, "Gpu", Refusing)
    desk._gpu()
    assert parts == {
        "gpu_process_bytes": 7,
        "no_energy_j": "RuntimeError: Not Supported",
        "throttled": False,
        "others_on_device": 0,
    }


def test_a_second_device_becomes_the_current_one(monkeypatch):
    from bench import worker

    chosen = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    worker.use_device("cuda:1")
    worker.use_device("cuda")
    worker.use_device("cpu")
    assert chosen == [torch.device("cuda:1")]


@pytest.mark.parametrize(("reasons", "throttled"), [(0x0, False), (0x1, False), (0x40, True), (0x04, True)])
def test_throttling_is_heat_or_power_not_idleness(gpu, reasons, throttled):
    gpu[1].cards[0].reasons = reasons
    assert gpu[0].throttled() is throttled


def test_cuda_peaks_are_above_the_baseline_and_the_device_is_synchronised(monkeypatch):
    calls = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda *_: calls.append("synchronize"))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda *_: calls.append("reset"))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda *_: 100)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda *_: 350)
    assert memory.allocator_peak_bytes(lambda: calls.append("call"), "cuda") == 250
    assert calls == ["synchronize", "reset", "call", "synchronize"]


class Event:
    """A CUDA event that is always a quarter of a second from the next."""

    def __init__(self, calls):
        self.calls = calls

    def record(self):
        self.calls.append("record")

    def elapsed_time(self, other):
        return 250.0  # milliseconds


def test_a_cuda_clock_waits_for_the_device_before_and_after(monkeypatch):
    calls = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda *_: calls.append("synchronize"))
    timer = clock.Clock(lambda: calls.append("call"), "cuda")
    monkeypatch.setattr(torch.cuda, "Event", lambda enable_timing: Event(calls))
    assert 0 < timer.one_call_s() < 1
    assert calls == ["synchronize", "record", "call", "record", "synchronize"]
    assert timer.device_s == [0.25]


def test_cuda_blocks_are_rounded_up_in_predictions():
    tracking = prediction.Tracking(prediction.CUDA_BLOCK_BYTES)
    with tracking:
        held = torch.empty(1, dtype=torch.uint8), torch.empty(513, dtype=torch.uint8)
    assert tracking.held == 512 + 1024
    del held
    assert tracking.held == 0
    assert tracking.peak == 1536


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_point_on_a_real_device():
    import estimators
    from bench import problems
    from bench.measure import Bench
    from bench.point import Point, ProblemSpec
    from bench.solo import Alone, solo
    from bench.window import opened_anchor, time_window

    spec = ProblemSpec(dim=16, depth=2, width=32, batch=16)
    problems.prepare(spec)
    estimator = estimators.get("ssm")
    point = Point("ssm", "score_matching", spec, 2, dict(estimator.options), device="cuda", draws=16, target="sm")
    with Bench() as bench:
        assert bench.reference(spec, "score_matching", 2, "sm", 1) == ""
        row = solo(bench, point).row
        assert row["outcome"] == "ok", row["reason"]
        (row,) = time_window(bench, [Alone(point, row)], opened_anchor(bench, point))
    assert row["outcome"] == "ok", row["reason"]
    assert row["peak_step_bytes"] > 0
    assert row["predicted_peak_bytes"] is None or row["predicted_peak_bytes"] > 0
    assert row["time_step_s"] > 0
    assert row["energy_j"] is None or row["energy_j"] > 0
    assert row["grad_std"] < 10
