"""Leaves a daemon behind, in a session of its own."""

import os
import time

import estimators

EXPECTED = ("ok", "")


@estimators.register("leaves_daemons", quantity="score_matching")
def leaves_daemons(f, x):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(600)
        os._exit(0)
    os.wait()
    return f(x)
