"""Writes into the points."""

import estimators

EXPECTED = ("error", "the values of x")


@estimators.register("changes_x", quantity="score_matching")
def changes_x(f, x):
    values = f(x)
    x.data.mul_(1.5)
    return values
