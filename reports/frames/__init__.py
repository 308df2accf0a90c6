"""From the rows of a store to the frames that figures and pages draw."""
