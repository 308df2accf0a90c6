"""Estimators of log-likelihoods, one per file."""
