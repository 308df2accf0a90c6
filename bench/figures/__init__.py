"""Benchmarks of single figures, each run by `python -m bench.figures.NAME`."""
