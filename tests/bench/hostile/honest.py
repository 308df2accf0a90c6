"""Does what it says: the log-density itself."""

import estimators

EXPECTED = ("ok", "")


@estimators.register("honest", quantity="score_matching")
def honest(f, x):
    return f(x)
