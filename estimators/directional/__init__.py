"""Directional derivatives of any order, one estimator a file."""
