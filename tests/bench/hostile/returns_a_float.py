"""Returns a number."""

import estimators

EXPECTED = ("error", "it returned float")


@estimators.register("returns_a_float", quantity="score_matching")
def returns_a_float(f, x):
    return float(f(x).sum())
