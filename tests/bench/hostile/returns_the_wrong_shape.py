"""Returns a column."""

import estimators

EXPECTED = ("error", "it returned")


@estimators.register("returns_the_wrong_shape", quantity="score_matching")
def returns_the_wrong_shape(f, x):
    return f(x).unsqueeze(-1)
