"""Fills the .grad of the parameters."""

import torch

import estimators

EXPECTED = ("error", ".grad")


@estimators.register("sets_grad", quantity="score_matching")
def sets_grad(f, x):
    with torch.enable_grad():
        f(x).sum().backward()
    return f(x)
