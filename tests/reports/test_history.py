"""History: order of commits, series that are never joined, asv's own steps, and what cannot be read."""

from __future__ import annotations

import json
import math
import os
import subprocess
from dataclasses import replace

import pytest

from bench.store import Store
from reports.figures import history as figure
from reports.frames import steps as frames_steps
from reports.frames.commits import in_order
from reports.frames.history import history, load_rows
from reports.frames.rows import from_rows
from reports.frames.steps import steps
from reports.pages import history as history_pages
from reports.pages.history import history_page
from reports.palette import marks
from tests.reports.history_results import COMMITS, rows_of_commits, write_asv_results
from tests.reports.hostile_rows import NAMES, hostile_rows
from tests.reports.test_commands import run


@pytest.fixture(scope="module")
def asv(tmp_path_factory):
    return write_asv_results(tmp_path_factory.mktemp("asv"))


@pytest.fixture(scope="module")
def followed(asv):
    return history(from_rows(rows_of_commits() + rows_of_commits("loud", 3.0)), asv, ())


def named(found, **at):
    """(estimator, word, place of the last old commit, place of the first new one) of the steps there."""
    for name, value in at.items():
        found = found[found[name] == value]
    return {tuple(row) for row in found[["estimator", "word", "before", "after"]].itertuples(index=False)}


def test_the_planted_steps_are_named_on_each_machine_and_nothing_else(followed):
    found = steps(followed.rows)
    for machine in ("store: Quiet CPU, 8 cores", "store: Loud CPU, 2 cores"):
        here = found[found["machine"] == machine]
        assert named(here, measure="time_step_s") == {("ssm", "slower", 2, 3)}
        assert named(here, measure="peak_step_bytes") == {("taylor_ssm", "heavier", 4, 5)}
        assert named(here, measure="grad_bias") == {("fd_ssm", "more biased", 3, 4)}
        assert set(here["measure"]) == {"time_step_s", "time_value_s", "peak_step_bytes", "grad_bias"}
    step = found[(found["measure"] == "peak_step_bytes")].iloc[0]
    assert (step["old"], step["new"], step["lasts"]) == (1e6, 1.1e6, 2)
    assert step["change"] == pytest.approx(0.1)
    biases = found[found["measure"] == "grad_bias"]
    assert biases["change"].max() == pytest.approx(0.25)
    assert set(biases["old"]) == {0}  # not told from zero


def test_asv_results_are_read_with_their_interval_and_never_joined_with_a_store(followed):
    rows = followed.rows[followed.rows["source"] == "asv"]
    first = rows[(rows["estimator"] == "ssm") & (rows["measure"] == "time_step_s")].iloc[0]
    assert (first["value"], first["low"], first["high"]) == (2e-3, 0.99 * 2e-3, 1.01 * 2e-3)
    assert (first["quantity"], first["dim"], first["depth"], first["order"]) == ("score_matching", 64, 2, 2)
    failed = rows[(rows["estimator"] == "fd_ssm") & (rows["measure"] == "time_step_s") & (rows["place"] == 0)].iloc[0]
    assert failed["outcome"] == "failed" and math.isnan(failed["value"])
    flops = rows[rows["measure"] == "flops_step"]
    assert set(flops["place"]) == set(range(1, 7))  # n/a at the first commit
    unresolved = rows[(rows["measure"] == "grad_bias") & (rows["place"] == 1)]
    assert not unresolved["resolved"].any()
    assert named(steps(rows), measure="time_step_s") == {("ssm", "slower", 2, 3)}
    assert all(len(set(group["machine"])) == 1 for _, group in followed.rows.groupby("series"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"torch_version": "2.12.0"}, "torch 2.12.0"),
        ({"method_version": "2"}, "method 2"),
        ({"machine": json.dumps({"cpu": "Quiet CPU", "cores_logical": 8, "governor": "powersave"})}, "(2)"),
    ],
)
def test_another_environment_or_way_of_measuring_is_another_series(change, told):
    rows = [row for row in rows_of_commits() if row["estimator"] == "ssm"]
    rows = [row | change if place >= 3 else row for place, row in enumerate(rows)]  # exactly where it got slower
    followed = history(from_rows(rows), None, ())
    times = followed.rows[followed.rows["measure"] == "time_step_s"]
    assert times.groupby("series")["place"].apply(list).tolist() == [[0, 1, 2], [3, 4, 5, 6]]
    assert any(told in machine for machine in times["machine"])
    assert times["machine"].nunique() == 2
    assert steps(followed.rows).empty


def test_two_environments_of_one_machine_under_asv_are_two_series(tmp_path):
    folder = write_asv_results(tmp_path)
    for commit in COMMITS[3:]:
        old = folder / "lab" / f"{commit[:8]}-virtualenv-py3.11-torch2.13.0.json"
        content = json.loads(old.read_text())
        content["env_name"] = "existing-py_opt_gpu_bin_python"
        content["params"]["python"] = "/opt/gpu/bin/python"
        del content["params"]["torch"]
        old.write_text(json.dumps(content))
    rows = history(from_rows([]), folder, ()).rows
    times = rows[(rows["measure"] == "time_step_s") & (rows["estimator"] == "ssm")]
    assert times.groupby("series")["place"].apply(list).tolist() == [[0, 1, 2], [3, 4, 5, 6]]
    common = "asv: lab: Lab CPU, 4 cores, "
    assert set(times["machine"]) == {
        common + "virtualenv, Python 3.11, torch 2.13.0",
        common + "existing, Python python",
    }


def test_two_settings_of_one_estimator_are_two_series():
    rows = [row for row in rows_of_commits() if row["estimator"] == "ssm"]
    others = [row | {"key": row["key"] + "x", "options": {"probes": 4}, "probes": 4} for row in rows]
    followed = history(from_rows(rows + others), None, ())
    times = followed.rows[followed.rows["measure"] == "time_step_s"]
    assert set(times["label"]) == {"ssm (M=1)", "ssm (M=4)"}
    assert times["series"].nunique() == 2


def test_a_step_within_the_intervals_or_below_the_floor_is_not_named():
    rows = [row for row in rows_of_commits() if row["estimator"] == "ssm"]
    wide = [r | {"time_step_low_s": 1e-3, "time_step_high_s": 4e-3} for r in rows]
    assert named(steps(history(from_rows(wide), None, ()).rows), measure="time_step_s") == set()
    small = [r | {"time_value_s": None, "peak_step_bytes": 10**6 + 9000 * (k > 3)} for k, r in enumerate(rows)]
    assert named(steps(history(from_rows(small), None, ()).rows), measure="peak_step_bytes") == set()
    more = [r | {"peak_step_bytes": 10**6 + 11000 * (k > 3)} for k, r in enumerate(rows)]
    assert named(steps(history(from_rows(more), None, ()).rows), measure="peak_step_bytes") == {
        ("ssm", "heavier", 3, 4)
    }


def test_a_value_time_has_the_interval_of_its_block_medians():
    rows = [row for row in rows_of_commits() if row["estimator"] == "ssm"]
    wide = [row | {"extra": {"time_value_samples": [4e-4, 7e-4, 1e-3] * 5}} for row in rows]
    for hostile in ([], ["x"] * 9, [float("nan")] * 9, 3, [7e-4]):
        wide[-1] = rows[-1] | {"extra": {"time_value_samples": hostile}}
        followed = history(from_rows(wide), None, ()).rows
        times = followed[followed["measure"] == "time_value_s"]
        assert (times["low"].iloc[0], times["high"].iloc[0]) == (4e-4, 1e-3)
        assert math.isnan(times["low"].iloc[-1])
    assert named(steps(followed), measure="time_value_s") == set()
    assert named(steps(history(from_rows(rows), None, ()).rows), measure="time_value_s") == {("ssm", "slower", 2, 3)}


def test_thousands_of_series_of_one_commit_are_neither_searched_nor_embedded(followed, monkeypatch):
    monkeypatch.setattr(frames_steps, "_of_series", lambda series: pytest.fail("a series of one commit"))
    rows = followed.rows
    alone = replace(followed, rows=rows[rows["place"] == rows["place"].max()].drop_duplicates("series"))
    assert frames_steps.steps(alone.rows).empty
    whole = history_page(alone)
    monkeypatch.setattr(history_pages, "MOST_ROWS", len(alone.rows) - 1)
    assert len(history_page(alone)) < len(whole) - 20 * len(alone.rows)


def test_drift_of_the_machine_makes_no_step_in_time_over_the_anchors():
    rows = [row for row in rows_of_commits() if row["estimator"] == "ssm"]
    drifting = []
    for place, row in enumerate(rows):
        plain = [1e-3 * (1 + 0.2 * (place > 1)) * (1 + 0.01 * k) for k in range(-7, 8)]  # a fifth slower from then on
        ratio = 3.0 if place > 4 else 2.0  # and ssm itself at the sixth commit
        samples = [ratio * (1 + 0.002 * (k % 3 - 1)) * at for k, at in enumerate(plain)]
        middle = samples[7]
        times = {"time_samples": samples, "time_step_s": middle}
        times |= {"time_step_low_s": 0.99 * middle, "time_step_high_s": 1.01 * middle}
        drifting.append(row | times | {"time_ratio": ratio, "extra": {"anchor_samples": plain}})
    followed = history(from_rows(drifting), None, ()).rows
    found = steps(followed)
    assert named(found, measure="time_ratio") == {("ssm", "slower", 4, 5)}
    assert named(found, measure="time_step_s") == {("ssm", "slower", 1, 2), ("ssm", "slower", 4, 5)}
    first = followed[followed["measure"] == "time_ratio"].iloc[0]
    assert first["low"] == pytest.approx(2 * 0.998) and first["high"] == pytest.approx(2 * 1.002)
    for anchor in (None, ["x"] * 15, [0.0] * 15):
        followed = history(from_rows([drifting[0] | {"extra": {"anchor_samples": anchor}}]), None, ()).rows
        assert math.isnan(followed[followed["measure"] == "time_ratio"]["low"].iloc[0])


def test_commits_stand_in_git_order_where_git_knows_them_and_by_date_elsewhere(tmp_path):
    def git(*arguments, date="2026-01-01T00:00:00Z"):
        command = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.invalid", *arguments]
        environment = {**os.environ, "GIT_COMMITTER_DATE": date}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        return done.stdout.strip()

    git("init", "-q", "-b", "main")
    names = []
    for subject, date in (("first", "2026-02-01T00:00:00Z"), ("second\tof <b>two</b>", "2026-01-01T00:00:00Z")):
        git("commit", "-q", "--allow-empty", "-m", subject, date=date)
        names.append(git("rev-parse", "HEAD"))
    later_first = {names[1]: 10.0, names[0]: 20.0, names[0] + "+": 30.0}
    found = in_order(later_first, [tmp_path])
    assert [commit.name for commit in found] == [names[0], names[0] + "+", names[1]]
    assert found[2].subject == "second\tof <b>two</b>"
    assert found[1].short == names[0][:8] + "+"
    assert [commit.name for commit in in_order(later_first, [])] == [names[1], names[0], names[0] + "+"]
    assert [commit.name for commit in in_order({"b": math.nan, "a": 1e9}, [tmp_path / "no"])] == ["a", "b"]


def test_rows_without_a_commit_are_counted_and_no_results_are_one_remark(tmp_path):
    rows = from_rows([row | {"commit": None} for row in rows_of_commits()])
    followed = history(rows, tmp_path, ())
    assert followed.rows.empty
    assert followed.remarks == [
        f"There are no asv results of our sweep in {tmp_path}; `make asv` makes them.",
        "21 rows of the stores name no commit and are left out.",
    ]
    page = history_page(followed)
    assert "No commit was measured yet" in page
    figure.on_paper(followed, {})


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"version": 2}', '{"version": 2, "results": 3}', None], ids=lambda c: str(c)[:12]
)
def test_a_file_that_is_not_asvs_is_named_and_the_rest_is_read(tmp_path, content):
    folder = write_asv_results(tmp_path)
    bad = folder / "lab" / "0bad.json"
    if content is None:  # a results file whose parameters are code
        text = (folder / "lab" / f"{COMMITS[0][:8]}-virtualenv-py3.11-torch2.13.0.json").read_text()
        code = "\"__import__('os').environ.setdefault('HARMED', 'ssm')\""
        content = text.replace("\"'ssm'\"", code).replace(COMMITS[0], "0" * 40)
    bad.write_text(content)
    followed = history(from_rows([]), folder, ())
    assert len(followed.remarks) == 1 and followed.remarks[0].startswith("0bad.json is not asv's")
    assert [commit.name for commit in followed.commits] == COMMITS
    assert "HARMED" not in os.environ


def test_the_print_figure_and_its_selection(followed, tmp_path, asv):
    drawn = figure.on_paper(followed, marks(followed.rows["estimator"]))
    axes = drawn.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == [commit[:8] for commit in COMMITS]
    path = tmp_path / "store.sqlite"
    with Store(path) as store:
        store.put_many((row, True) for row in rows_of_commits())
    out = tmp_path / "history.svg"
    arguments = ["--store", path, "--asv", asv, "--out", out]
    assert run("figure", "history", *arguments, "--where", "measure=peak_step_bytes").exit_code == 0
    assert "Peak memory (B)" in out.read_text()
    missing = run("figure", "history", *arguments, "--where", "measure=speed")
    assert missing.exit_code == 2 and "no row is left" in missing.output


def test_build_reads_further_stores_and_asv_and_links_the_page(tmp_path, asv):
    stores = tmp_path / "stores"
    stores.mkdir()
    for place in (0, 6):
        with Store(stores / f"{place}.sqlite") as store:
            store.put_many((row, True) for row in rows_of_commits() if row["commit"] == COMMITS[place])
    arguments = ["--store", stores / "6.sqlite", "--out", tmp_path / "html"]
    assert run("build", *arguments, "--asv", asv, "--history", stores).exit_code == 0
    page = (tmp_path / "html" / "history.html").read_text()
    assert COMMITS[0][:8] in page and "asv: lab" in page and "slower" in page
    index = (tmp_path / "html" / "index.html").read_text()
    assert 'href="history.html"' in index and 'href="claims.html"' in index
    assert "not measured yet" in (tmp_path / "html" / "claims.html").read_text()
    page = history_page(history(load_rows([stores / "6.sqlite"]), tmp_path / "none", ()))
    assert "There are no asv results" in page and "There is one commit so far" in page
    assert run("build", *arguments, "--history", tmp_path / "missing.sqlite").exit_code == 2
    assert len(load_rows([stores, stores / "0.sqlite"])) == 6  # each store once


def test_what_comes_from_a_file_is_escaped(tmp_path):
    names = {name[:200]: [1e-3] * 7 for name in NAMES if "\u0000" not in name and "\ud800" not in name}
    folder = write_asv_results(tmp_path, names=names)
    rows = from_rows(row | {"commit": f"<script>{k % 3}</script>"} for k, row in enumerate(hostile_rows()))
    page = history_page(history(rows, folder, ()))
    assert "<script>window" not in page and "<img" not in page and "<b>bold" not in page and "<script>0" not in page
    assert page.count("<script") == 3


@pytest.mark.browser
def test_the_page_draws_filters_and_tells_the_steps(followed, rows, open_page, tmp_path):
    from reports.pages.build import build

    build(rows, tmp_path, history=followed)
    page = open_page(tmp_path / "history.html")
    page.wait_for_selector("figure[data-figure=history][data-drawn=yes]")
    assert re_digits(page.locator("figure .plot").get_attribute("aria-label"))
    page.select_option("[data-facet=setting]", "mlp")
    assert page.evaluate("window.report.state.values.measure") == "time_step_s"
    points = page.evaluate("window.report.views.history.data('points')")
    assert {p["machine"] for p in points} == {"store: Quiet CPU, 8 cores", "store: Loud CPU, 2 cores"}
    assert len({p["series"] for p in points}) == 6
    assert [p["outcome"] for p in points if p["failed"]] == ["timeout", "timeout"]
    assert len(page.evaluate("window.report.views.history.data('guides')")) == 2
    assert "ssm is slower" in page.locator("figure .told").inner_text()
    page.select_option("[data-facet=machine]", "store: Quiet CPU, 8 cores")
    page.select_option("[data-facet=measure]", "grad_bias")
    page.select_option("[data-facet=estimator]", "fd_ssm")
    points = page.evaluate("window.report.views.history.data('points')")
    assert [p["open"] for p in points if not p["failed"]] == [True] * 3 + [False] * 3
    with page.expect_download() as waiting:
        page.locator("figure details.data summary").click()
        page.locator("figure details.data button").click()
    assert waiting.value.path().read_text().splitlines()[0].startswith("commit,date,estimator,label,machine")
    page.locator("#steps a", has_text="taylor_ssm").first.click()
    page.wait_for_function("window.report.state.values.estimator === 'taylor_ssm'")  # the link changes the hash
    page.locator("figure").screenshot(path=tmp_path / "history.png")


@pytest.mark.browser
def test_hostile_names_do_nothing_on_the_page(open_page, tmp_path):
    from reports.pages.build import build

    rows = from_rows(row | {"commit": NAMES[k % 7][:60]} for k, row in enumerate(hostile_rows()))
    build(rows, tmp_path)
    page = open_page(tmp_path / "history.html")
    page.wait_for_selector("figure[data-drawn=yes]")
    assert page.evaluate("window.harmed") is None
    assert page.evaluate("document.body.scrollWidth <= innerWidth + 1")


def re_digits(text):
    return any(letter.isdigit() for letter in text)
