"""Exact differentiation, for references: independent of `estimators`, so that the yardstick stays still."""
