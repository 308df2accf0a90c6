"""Never returns, in Python."""

import estimators

EXPECTED = ("timeout", "no answer within")


@estimators.register("hangs_in_python", quantity="score_matching")
def hangs_in_python(f, x):
    while True:
        pass
