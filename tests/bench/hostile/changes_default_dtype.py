"""Changes the default dtype."""

import torch

import estimators

EXPECTED = ("error", "the default dtype")


@estimators.register("changes_default_dtype", quantity="score_matching")
def changes_default_dtype(f, x):
    torch.set_default_dtype(torch.float64)
    return f(x)
