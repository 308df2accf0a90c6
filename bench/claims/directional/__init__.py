"""Claims about directional derivatives."""
