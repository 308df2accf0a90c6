"""Leaves children behind in its process group, and returns the right answer."""

import os
import time

import estimators

EXPECTED = ("ok", "")


@estimators.register("leaves_children", quantity="score_matching")
def leaves_children(f, x):
    if os.fork() == 0:
        time.sleep(600)
        os._exit(0)
    return f(x)
