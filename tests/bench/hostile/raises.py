"""Raises."""

import estimators

EXPECTED = ("error", "RuntimeError: nothing works")


@estimators.register("raises", quantity="score_matching")
def raises(f, x):
    raise RuntimeError("nothing works")
