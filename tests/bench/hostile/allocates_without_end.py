"""Asks for 40 GB."""

import torch

import estimators

EXPECTED = ("out_of_memory", "")


@estimators.register("allocates_without_end", quantity="score_matching")
def allocates_without_end(f, x):
    return torch.ones(40 * 10**9 // 4).sum() + f(x)
