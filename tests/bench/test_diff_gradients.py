"""What `diff` says of two versions' gradients, from their block means, and of their memory."""

import numpy as np
import pytest

from bench.diff.change import memory_change
from bench.diff.gradient import gradient_change
from bench.statistics.bias import bias_interval


def _blocks(rng, bias, noise=0.3, size=400, blocks=32):
    exact = np.zeros(size)
    exact[0] = 1
    shared = noise * rng.standard_normal((blocks, size)) / np.sqrt(size)
    return exact, exact + bias * np.eye(size)[1] + shared


def test_gradients_with_shared_noise_show_a_small_bias():
    exact, old = _blocks(np.random.default_rng(0), 0.0)
    _, new = _blocks(np.random.default_rng(0), 0.01)
    found = gradient_change("p", "e", old, new, exact)
    assert found.word == "more biased"
    assert found.ratio == pytest.approx(0.01)
    assert gradient_change("p", "e", old, old, exact).word == "same"


def test_a_bias_removed_is_less_biased():
    exact, old = _blocks(np.random.default_rng(1), 0.3)
    _, new = _blocks(np.random.default_rng(1), 0.0)
    assert gradient_change("p", "e", old, new, exact).word == "less biased"
    assert gradient_change("p", "e", new, old, exact).word == "more biased"
    assert gradient_change("p", "e", old, new, None).word == "more biased"  # nothing shows it moved for the better


def test_a_bias_halved_is_less_biased_though_neither_is_told_from_zero():
    # their common noise is 5 % of the gradient, the bias along one direction in 400 of it: 300 of 300 seeds say so
    exact, old = _blocks(np.random.default_rng(3), 0.02)
    _, new = _blocks(np.random.default_rng(3), 0.01)
    assert not bias_interval((old - exact) @ (old - exact).T).resolved
    assert gradient_change("p", "e", old, new, exact).word == "less biased"
    assert gradient_change("p", "e", new, old, exact).word == "more biased"


def test_other_probes_of_the_same_law_are_no_change():
    # 40 pairs, each falsely called with probability below 1 %; seeded
    rng = np.random.default_rng(2)
    words = []
    for _ in range(40):
        exact, old = _blocks(rng, 0.0)
        words.append(gradient_change("p", "e", old, _blocks(rng, 0.0)[1], exact).word)
    assert words.count("unclear") >= 39


def test_deterministic_gradients_are_compared_exactly():
    exact = np.ones((1, 4))
    assert gradient_change("p", "e", exact, exact * 1.02, exact[0]).word == "more biased"
    assert gradient_change("p", "e", exact * 1.02, exact, exact[0]).word == "less biased"
    assert gradient_change("p", "e", exact, exact * (1 + 1e-7), exact[0]).word == "same"


def test_gradients_that_cannot_be_compared():
    a = np.ones((4, 3))
    assert gradient_change("p", "e", a, np.ones((4, 5)), None).word == "not comparable"
    assert gradient_change("p", "e", a * np.nan, a, None).word == "not comparable"
    assert gradient_change("p", "e", a * np.nan, a * np.nan, None).word == "not comparable"
    assert gradient_change("p", "e", a, a * np.nan, None).word == "broken"


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        (10**6, 1_100_000, "heavier"),
        (10**6, 900_000, "lighter"),
        (10**6, 1_005_000, "same"),
        (1000, 2000, "same"),
        (10, None, "not comparable"),
    ],
)
def test_memory(old, new, word):
    assert memory_change("p", "e", old, new).word == word
