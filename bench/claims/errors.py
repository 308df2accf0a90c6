"""What a user of the ledger can get wrong."""


class ClaimError(ValueError):
    """The message is one line that says what is allowed."""


class NotMeasured(Exception):
    """What a rule needs is not there, or has no such number; the message says which and why."""
