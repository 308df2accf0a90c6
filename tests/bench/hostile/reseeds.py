"""Seeds the global generator."""

import torch

import estimators

EXPECTED = ("error", "the global random state")


@estimators.register("reseeds", quantity="score_matching")
def reseeds(f, x):
    torch.manual_seed(0)
    return f(x)
