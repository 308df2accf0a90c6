"""The page of the ledger: every claim with its numbers, figures against their limits, escaped, offline."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.claims import Figure, Finding, claims, entries_of_rows
from bench.claims.claim import verdict
from bench.store import Store
from reports.frames.training import load
from reports.pages import claims as page_of_claims
from reports.pages.claims import claims_page, ledger
from reports.pages.script import style
from tests.bench.test_claims import MEASURED, row
from tests.bench.test_claims_training import ran


def of(claim, sentence="said", figure=None):
    """A line of the ledger that says this."""
    entry = entries_of_rows([claim], [])[0]
    figure = figure or Figure(2.0, 1.5, 2.5, "times")
    return replace(entry, verdict=verdict(sentence, Finding("what", figure, at_least=1.0)))


def test_every_claim_stands_with_its_source_numbers_and_points():
    entries = entries_of_rows(list(claims().values()), [row(at) for claim in MEASURED for at in claim.points()])
    page = claims_page(entries, ["estimators/ssm.html"])
    for entry in entries:
        assert f'<section id="{entry.claim.name}"' in page
        if entry.verdict.findings:
            assert entry.verdict.ours in page and entry.claim.points()[0].estimator in page
    assert '<a href="estimators/ssm.html">ssm</a>' in page and "estimators/mle.html" not in page


def test_whatever_a_row_or_plugin_says_is_escaped():
    page = claims_page([of(MEASURED[0], "<script>alert(1)</script>")])
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page


@pytest.mark.parametrize(
    ("value", "place"), [(1.0, 0.5), (10.0, 1.0), (1e6, 1.0), (0.1, 0.0), (0.0, 0.0), (10**0.5, 0.75)]
)
def test_a_strip_has_its_limit_in_the_middle_and_a_decade_on_either_side(value, place):
    assert page_of_claims._place(value, 1.0, value) == pytest.approx(place)


@pytest.mark.parametrize(("value", "place"), [(-4.0, 0.0), (0.0, 0.5), (2.0, 0.75), (4.0, 1.0)])
def test_a_strip_about_zero_is_linear(value, place):
    assert page_of_claims._place(value, 0.0, 4.0) == pytest.approx(place)
    assert page_of_claims._place(0.0, 0.0, 0.0) == 0.5


def test_the_side_asked_for_is_shaded():
    more = claims_page([of(MEASURED[0])])
    assert '<rect x="54"' in more and 'class="strip reproduced"' in more
    entry = of(MEASURED[0])
    less = replace(entry, verdict=verdict("said", Finding("what", Figure(2.0, 1.5, 2.5, "times"), at_most=1.0)))
    page = claims_page([less])
    assert '<rect x="4"' in page and 'class="strip not-reproduced"' in page


def test_a_store_without_its_points_gives_no_verdicts(rows):
    words = {entry.claim.name: entry.verdict for entry in ledger(rows)}
    assert set(words) == set(claims())
    assert all(found.word in ("not measured yet", "cannot be tested here") for found in words.values())


@pytest.mark.browser
def test_it_opens_offline_and_fits_a_narrow_screen(tmp_path, open_page, screenshots):
    entries = entries_of_rows(list(claims().values()), [row(at) for claim in MEASURED for at in claim.points()])
    (tmp_path / "claims.html").write_text(claims_page(entries), encoding="utf-8")
    (tmp_path / "report.css").write_text(style(), encoding="utf-8")
    page = open_page(tmp_path / "claims.html", width=420)
    assert page.locator("section.claim").count() == len(claims())
    assert page.evaluate("document.documentElement.scrollWidth") == 420
    page.screenshot(path=str(screenshots / "claims.png"), full_page=True)


def test_training_runs_reach_their_claims_through_the_store(rows, tmp_path):
    claim = claims()["variance_reduction_trains_better"]
    with Store(tmp_path / "t.sqlite") as store:
        for number, training in enumerate(claim.runs()):
            made = ran(training, end=-5.0 if training.point.estimator == "ssm" else -10.0)
            for evaluation in made.evaluations:
                plain = {name: evaluation[name] for name in ("place", "objective", "nll")}
                store.put_training({**made.row, "key": f"k{number}", "finished": True}, plain)
    found = {entry.claim.name: entry for entry in ledger(rows, load(tmp_path / "t.sqlite"))}
    entry = found[claim.name]
    assert entry.verdict.word == "reproduced" and entry.verdict.number == pytest.approx(100 * 5 / 20)
    assert entry.seconds == pytest.approx(2.0 * len(claim.runs()))
    page = claims_page([entry])
    assert page.count("600 steps, 768 rows, 8 seeds") + page.count("2000 steps, 768 rows, 8 seeds") == 2
    assert "training runs</summary>" in page
