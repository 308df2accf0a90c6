"""Writes into every descriptor that it finds."""

import os

import estimators

EXPECTED = ("crashed", "")


@estimators.register("sends_nonsense", quantity="score_matching")
def sends_nonsense(f, x):
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, b"\xff" * 64)
        except OSError:
            continue
    return f(x)
