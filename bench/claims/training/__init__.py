"""Claims that only training runs can decide."""
