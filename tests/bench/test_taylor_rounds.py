"""The side-by-side timing under the Taylor figures: ratios within rounds, and what a step is."""

import time

import pytest
import torch
from torch import nn

from bench.figures import taylor_rounds


def test_a_known_ratio_is_found_and_printed(capsys):
    """Sleeping 2 and 6 ms: the ratio is 3, less the sleep's own overhead."""
    calls = {"short": lambda: time.sleep(0.002), "long": lambda: time.sleep(0.006)}
    times = taylor_rounds.rounds(calls, 5, block_s=0.006)
    assert {name: len(samples) for name, samples in times.items()} == {"short": 5, "long": 5}
    median, low, high = taylor_rounds.ratio(times, "long", "short")
    assert low <= median <= high and 2 < median < 4
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
