"""Laplacians and their powers, one estimator a file."""
