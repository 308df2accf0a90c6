"""What is wrong with a sweep, in one line."""

from __future__ import annotations

from collections.abc import Iterable


class SweepError(ValueError):
    """A sweep cannot be measured as written; the message is one line: where, what was given, what is allowed."""


class PluginError(SweepError):
    """A plugin file does not import; ``__cause__`` is what it raised."""


def hint(word: object, known: Iterable[str]) -> str:
    """The close matches of a word, or all that is allowed, for the end of a message."""
    from estimators.arguments import close_matches  # imports torch, which a sweep without mistakes may not need yet

    return close_matches(str(word), known)
