"""Sweeps: a TOML file of axes becomes the list of points to measure, with what is ruled out and why."""

from bench.sweep.errors import SweepError as SweepError
from bench.sweep.source import shipped as shipped
from bench.sweep.sweep import Sweep as Sweep
from bench.sweep.sweep import load as load

__all__ = ["Sweep", "SweepError", "load", "shipped"]
