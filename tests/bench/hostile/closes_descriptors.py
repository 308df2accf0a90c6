"""Closes everything that is open, the way home included."""

import os

import estimators

EXPECTED = ("crashed", "")


@estimators.register("closes_descriptors", quantity="score_matching")
def closes_descriptors(f, x):
    os.closerange(0, 256)
    return f(x)
