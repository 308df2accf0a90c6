"""One figure a file: what it says, its data, its screen renderer (Vega) and its print renderer (matplotlib)."""
