"""Training runs: an estimator's cost, bias and noise as an exact objective against steps and seconds."""
