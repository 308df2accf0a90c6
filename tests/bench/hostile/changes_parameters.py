"""Trains while it is measured."""

import estimators

EXPECTED = ("error", "the values of parameter")


@estimators.register("changes_parameters", quantity="score_matching")
def changes_parameters(f, x):
    values = f(x)
    for parameter in f.f.__self__.parameters():
        parameter.data.add_(1.0)
    return values
