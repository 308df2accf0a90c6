"""The side-by-side timing under the Taylor figures: ratios within rounds, and what a step is."""

import pytest
import torch
from torch import nn

from bench.figures import taylor_rounds


def test_ratios_are_taken_within_rounds_and_printed(capsys, monkeypatch):
    """A machine that slows down from call to call changes both alike, and leaves the ratio at 3."""
    slowdown = iter(1 + 0.01 * k for k in range(10**6))
    monkeypatch.setattr(taylor_rounds, "_timed", lambda call: call() * next(slowdown))
    times = taylor_rounds.rounds({"short": lambda: 0.002, "long": lambda: 0.006}, 6, block_s=0.006)
    assert {name: len(samples) for name, samples in times.items()} == {"short": 6, "long": 6}
    median, low, high = taylor_rounds.ratio(times, "long", "short")
    assert low <= median <= high and 2.8 < median < 3.2
    taylor_rounds.report("title", times, [("long", "short", "<= 4")])
    printed = capsys.readouterr().out
    assert "title" in printed and "long / short: " in printed and "wanted <= 4" in printed


def test_step_returns_the_gradient_of_the_mean_and_value_builds_no_graph():
    net = taylor_rounds.energy((3, 4, 1), nn.Tanh)
    x = torch.randn(5, 3)
    gradients = taylor_rounds.step(net, lambda: net(x).squeeze(-1))()
    assert [g.shape for g in gradients] == [p.shape for p in net.parameters()]
    assert gradients[-1].item() == pytest.approx(1.0)
    assert not taylor_rounds.value(lambda: net(x))().requires_grad


def test_energy_keeps_its_scale_with_depth():
    torch.manual_seed(0)
    net = taylor_rounds.energy((64, *(128,) * 4, 1), nn.Tanh)
    assert 0.3 < net(torch.randn(256, 64)).std() < 3
