"""The ledger as a short table in Markdown, between two markers of a document such as the README."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bench.claims.claim import WORDS
from bench.claims.errors import ClaimError
from bench.claims.ledger import Entry

BEGIN, END = "<!-- ledger -->", "<!-- end of ledger -->"
HEAD = ("claim", "source", "the paper", "here, with 95 % interval", "verdict")


def summary(entries: Sequence[Entry], how: str) -> str:
    """How many claims have which word, how they were measured, and a line for each.

    Args:
        entries: the ledger.
        how: where and when, a sentence.
    """
    words = Counter(entry.verdict.word for entry in entries)
    counts = ", ".join(f"{words[word]} {word}" for word in WORDS if words[word])
    points = len({point.to_json() for entry in entries for point in entry.points})
    runs = len({run.to_json() for entry in entries for run in entry.runs})
    lines = [_line(HEAD), "|" + "---|" * len(HEAD), *(_line(_cells(entry)) for entry in entries)]
    told = f"{len(entries)} claims, by {points} points and {runs} training runs: {counts}. {how}"
    return "\n".join([told, "", *lines])


def insert(document: str, text: str) -> str:
    """The document with the text between its markers, and all else as it was.

    Raises:
        ClaimError: it has not both markers, once each and in their order.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in before + after:
        raise ClaimError(
            f"the ledger goes between a line {BEGIN} and a line {END}, which the document has to hold once"
        )
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def _cells(entry: Entry) -> tuple[str, ...]:
    claim, verdict = entry.claim, entry.verdict
    source = f"{claim.paper.authors.split(',')[0]} {claim.paper.year}"
    here = f"{verdict.ours}: {verdict.findings[0].what}" if verdict.findings else verdict.sentence
    recalled = " (recalled)" if claim.known == "recalled" else ""
    return claim.name.replace("_", " "), source, f"{claim.figure}{recalled}", here, verdict.word


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
