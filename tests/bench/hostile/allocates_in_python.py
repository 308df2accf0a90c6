"""Holds 40 GB that torch knows nothing of."""

import estimators

EXPECTED = ("out_of_memory", "")


@estimators.register("allocates_in_python", quantity="score_matching")
def allocates_in_python(f, x):
    held = [bytearray(2**26) for _ in range(600)]
    return f(x) * len(held)
