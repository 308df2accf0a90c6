"""The ledger of claims: what papers say of these estimators, each measured here with the same yardstick as all else.

A claim is a file in the folder of its subject: facts, the points and training runs it needs, and the rule
that turns their rows into a word.
"""

from bench.claims.claim import WORDS, Claim, Figure, Finding, Verdict
from bench.claims.errors import ClaimError, NotMeasured
from bench.claims.ledger import Entry, chosen, claims, entries_of_rows, entries_of_store, points_of, runs_of
from bench.claims.rows import Rows
from bench.claims.runs import Run, Runs

__all__ = [
    "WORDS",
    "Claim",
    "ClaimError",
    "Entry",
    "Figure",
    "Finding",
    "NotMeasured",
    "Rows",
    "Run",
    "Runs",
    "Verdict",
    "chosen",
    "claims",
    "entries_of_rows",
    "entries_of_store",
    "points_of",
    "runs_of",
]
