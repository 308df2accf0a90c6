"""What a finite number of noisy draws or timings says: bias with an interval, medians, ratios and verdicts."""
