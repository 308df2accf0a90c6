"""Starts a child that leaves its process group and prints without end."""

import os

import estimators

EXPECTED = ("ok", "")


@estimators.register("escapes_and_prints", quantity="score_matching", target="none")
def escapes_and_prints(f, x):
    if not os.environ.get("ESCAPED"):
        os.environ["ESCAPED"] = "1"
        if os.fork() == 0:
            os.setsid()
            while True:
                os.write(1, b"x" * 65536)
    return f(x)
