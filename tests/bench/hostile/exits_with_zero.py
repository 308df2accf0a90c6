"""Leaves as if all were well."""

import os

import estimators

EXPECTED = ("crashed", "exited with status 0")


@estimators.register("exits_with_zero", quantity="score_matching")
def exits_with_zero(f, x):
    os._exit(0)
