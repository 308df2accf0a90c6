"""Has its children hold the memory, each of them under the limit."""

import os
import time

import estimators

EXPECTED = ("out_of_memory", "held")


@estimators.register("children_allocate", quantity="score_matching")
def children_allocate(f, x):
    for _ in range(8):
        if os.fork() == 0:
            held = bytearray(b"x" * 2**28)
            time.sleep(600)
            os._exit(len(held) % 2)
    time.sleep(600)
