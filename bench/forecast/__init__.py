"""What points will cost, before anything is measured, and the order in which they are worth measuring."""
