"""Claims about score-matching objectives."""
