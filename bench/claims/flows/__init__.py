"""Claims about normalising flows."""
