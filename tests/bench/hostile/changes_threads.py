"""Takes more threads than it was given."""

import torch

import estimators

EXPECTED = ("error", "the number of threads")


@estimators.register("changes_threads", quantity="score_matching")
def changes_threads(f, x):
    torch.set_num_threads(3)
    return f(x)
