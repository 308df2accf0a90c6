"""The yardstick: problems, exact references, meters, workers, store, sweeps, and the command line."""
