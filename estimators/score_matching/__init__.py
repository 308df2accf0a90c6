"""Score-matching objectives, one estimator a file."""
