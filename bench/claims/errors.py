"""What a user of the ledger can get wrong."""


class ClaimError(ValueError):
    """The message is one line that says what is allowed."""
