"""Reads address zero."""

import ctypes

import estimators

EXPECTED = ("crashed", "SIGSEGV")


@estimators.register("segfaults", quantity="score_matching")
def segfaults(f, x):
    ctypes.string_at(0)
