"""The ledger's summary: between its markers, in the README in today's form, and never by half."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.claims import WORDS, ClaimError, claims, entries_of_rows
from bench.claims.summary import BEGIN, END, HEAD, insert, summary
from bench.store import Store
from tests.bench.test_claims import MEASURED, row

README = Path(__file__).parents[2] / "README.md"


def table(text: str) -> list[list[str]]:
    """The cells of every line of a Markdown table, its head's rule left out."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_the_readme_has_every_claim_with_a_word_and_a_number():
    """The form, not the numbers: those are a machine's. A claim that is new, gone or renamed asks for a new table."""
    text = README.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    head, *lines = table(text)
    assert tuple(head) == HEAD
    assert [line[0] for line in lines] == [name.replace("_", " ") for name in claims()], (
        "python -m bench claims --readme README.md"
    )
    for name, source, paper, here, word in lines:
        assert word in WORDS and word != "not measured yet", name
        assert re.search(r"\d{4}$", source) and paper
        assert re.search(r"\d.*\(.* to .*\)|below \d|repeats exactly", here), name
    assert re.search(r"Last measured on \d{4}-\d\d-\d\d: .+, torch \d", text)


def test_a_line_has_the_headline_with_its_interval():
    claim = claims()["published_eps"]
    entry = entries_of_rows([claim], [row(at) for at in claim.points()])[0]
    text = summary([entry], "Last measured on 2026-01-01: here.")
    assert text.startswith(
        "1 claims, by 4 points and 0 training runs: 1 reproduced. Last measured on 2026-01-01: here.\n"
    )
    assert table(text)[1] == [
        "published eps",
        "Pang 2020",
        "ε = 0.1",
        "1\u00a0% (0.8 to 1.2): gradient bias, D = 784, float32",
        "reproduced",
    ]


def test_it_goes_between_the_markers_and_changes_nothing_else():
    document = f"above\n\n{BEGIN}\nold\n{END}\n\nbelow | not a table\n"
    once = insert(document, "new")
    assert once == f"above\n\n{BEGIN}\nnew\n{END}\n\nbelow | not a table\n" and insert(once, "new") == once


@pytest.mark.parametrize("document", ["", BEGIN, END + BEGIN, BEGIN * 2 + END, BEGIN + END * 2])
def test_a_document_without_its_two_markers_is_refused(document, tmp_path, capsys):
    with pytest.raises(ClaimError, match="which the document has to hold once"):
        insert(document, "new")
    path = tmp_path / "document.md"
    path.write_text(document)
    assert main(["claims", "--store", str(tmp_path / "s.sqlite"), "--readme", str(path)]) == 2  # before it measures
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and path.read_text() == document
    assert not (tmp_path / "s.sqlite").exists()


def test_a_ledger_with_gaps_is_not_put_into_a_document(tmp_path, capsys):
    store, path = tmp_path / "s.sqlite", tmp_path / "d.md"
    with Store(store):
        path.write_text(BEGIN + END)
    assert main(["claims", "--stored", "--store", str(store), "--readme", str(path)]) == 2
    assert f"{len(claims())} claims are not measured yet in {store}" in capsys.readouterr().err
    assert path.read_text() == BEGIN + END


def test_names_and_a_readme_exclude_each_other(tmp_path, capsys):
    (tmp_path / "d.md").write_text(BEGIN + END)
    assert main(["claims", MEASURED[0].name, "--readme", str(tmp_path / "d.md")]) == 2
    assert "leave the names out" in capsys.readouterr().err
