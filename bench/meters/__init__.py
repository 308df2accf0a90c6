"""Meters: each measures one thing about one subject, in a pass of its own, and adds nothing to what it measures."""
