"""Never returns, in C, with every signal that can be blocked blocked."""

import ctypes
import signal

import estimators

EXPECTED = ("timeout", "no answer within")


@estimators.register("hangs_in_c", quantity="score_matching")
def hangs_in_c(f, x):
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    ctypes.PyDLL(None).pause()
