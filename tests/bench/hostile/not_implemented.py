"""Says that it cannot."""

import estimators

EXPECTED = ("unsupported", "no rule for this")


@estimators.register("not_implemented", quantity="score_matching")
def not_implemented(f, x):
    raise NotImplementedError("no rule for this")
