"""asv over four planted commits: each number is filed under its commit and estimator, and each verdict is right.

Builds a throw-away repository and an asv environment, so it takes some minutes. It runs where ASV_SCENARIO is set:
``ASV_SCENARIO=1 pytest tests/bench/test_asv_scenario.py`` lends the environment the libraries of this one;
``ASV_SCENARIO=pinned`` has asv install those of asv.conf.json, about a gigabyte from the network or a local index.
"""

import json
import math
import os
import shutil
import subprocess
import sys
import sysconfig
from itertools import product
from pathlib import Path

import pytest

from bench.diff import between_commits
from bench.sweep import load

ROOT = Path(__file__).resolve().parents[2]
SSM = "estimators/score_matching/ssm.py"
NEW = "estimators/laplacian/hvp_loop.py"
AXES = "bench/suites/axes.py"
ENDING = "    result = total / probes\n"
FOLLOWED = ("ssm", "taylor_ssm", "hessian_trace", "forward_laplacian", "hutchinson")
METRICS = r"sweep.*(step_time|peak_memory|gradient_bias|flops)"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("ASV_SCENARIO" not in os.environ, reason="takes minutes and an environment; set ASV_SCENARIO"),
]


def _git(repository, *arguments):
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"]
    command = ["git", "-C", str(repository), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """(repository, {what was planted: commit}); the working tree's `bench` measures them all."""
    repository = tmp_path_factory.mktemp("scenario")
    for name in _git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if (ROOT / name).is_file() and name.partition("/")[0] in ("bench", "estimators", name):
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, repository / name)
    _git(repository, "init", "-q", "-b", "main")
    ssm, new = (repository / SSM).read_text(), (repository / NEW).read_text()
    assert ENDING in ssm
    slower = ssm.replace(ENDING, f"    import time\n\n    time.sleep(0.05)\n{ENDING}")
    biased = slower.replace(ENDING, "    result = 1.25 * total / probes\n")
    (repository / NEW).unlink()
    commits = {}
    for what, path, content in (
        ("baseline", SSM, ssm),  # lacks hvp_loop
        ("slower", SSM, slower),
        ("new", NEW, new),
        ("biased", SSM, biased),  # and as slow
    ):
        (repository / path).write_text(content)
        _git(repository, "add", "-A")
        _git(repository, "commit", "-q", "--allow-empty", "-m", what)
        commits[what] = _git(repository, "rev-parse", "HEAD")
    return repository, commits


@pytest.fixture(scope="module")
def asv(history, tmp_path_factory):
    """Runs asv in the repository, in an environment of its own."""
    repository, _ = history
    environment = {**os.environ, "BENCH_PRESET": "smoke", "HOME": str(tmp_path_factory.mktemp("home"))}
    if os.environ["ASV_SCENARIO"] != "pinned":
        libraries = tmp_path_factory.mktemp("libraries")
        for entry in Path(sysconfig.get_path("purelib")).iterdir():
            if not entry.name.startswith(("__editable__", "_estim", "estim", "pip", "setuptools", "pkg_resources")):
                (libraries / entry.name).symlink_to(entry)
        configuration = json.loads((repository / "asv.conf.json").read_text())
        required = configuration["matrix"]["req"]
        configuration["matrix"]["req"] = {"pip+asv_runner": required["pip+asv_runner"]}
        lend = f"import sysconfig; open(sysconfig.get_path('purelib') + '/lent.pth', 'w').write('{libraries}')"
        configuration["install_command"].append(f'in-dir={{env_dir}} python -c "{lend}"')
        (repository / "asv.conf.json").write_text(json.dumps(configuration))

    def run(*arguments, **more):
        command = [sys.executable, "-m", "asv", *arguments]
        done = subprocess.run(command, cwd=repository, env=environment | more, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    run("machine", "--yes")
    return run


def filed(history):
    """{commit: {metric: {(estimator, dim, depth, order): value}}} as asv filed them."""
    repository, commits = history
    found = {}
    for file in (repository / ".asv" / "results").glob("*/*.json"):
        content = json.loads(file.read_text())
        if "results" not in content:
            continue
        rows = {
            name: dict(zip(content["result_columns"], row, strict=False)) for name, row in content["results"].items()
        }
        found[content["commit_hash"]] = {
            name: dict(
                zip(product(*([p.strip("'") for p in axis] for axis in row["params"])), row["result"], strict=True)
            )
            for name, row in rows.items()
            if row["result"] is not None
        }
    return {what: found[commit] for what, commit in commits.items()}


@pytest.fixture(scope="module")
def runs(history, asv):
    """What asv filed, before and after `hvp_loop` is appended to the axes and measured alone on all commits."""
    repository, commits = history
    axes = repository / AXES
    complete = axes.read_text()
    assert complete.count('        "hvp_loop",\n') == 1
    axes.write_text(complete.replace('        "hvp_loop",\n', ""))
    for span in (f"{commits['baseline']}^!", f"{commits['baseline']}..HEAD"):
        asv("run", "--bench", METRICS, "--show-stderr", span, BENCH_ESTIMATORS=",".join(FOLLOWED))
    before = filed(history)
    axes.write_text(complete)
    for span in (f"{commits['baseline']}^!", f"{commits['baseline']}..HEAD"):  # the one-liner of docs/asv.md
        asv("run", "--bench", r"sweep.*\('hvp_loop'", "--show-stderr", span, BENCH_ESTIMATORS="hvp_loop")
    return before, filed(history)


@pytest.fixture(scope="module")
def results(runs):
    return runs[1]


def _value(results, what, metric, estimator):
    values = results[what][f"sweep.{metric}"]
    (found,) = [value for at, value in values.items() if at[0] == estimator]
    return math.nan if found is None else float(found)


def test_a_commit_without_the_estimator_shows_none_and_shifts_no_label(results):
    for what in ("baseline", "slower"):
        assert math.isnan(_value(results, what, "Laplacian.track_flops", "hvp_loop"))
    for what in ("new", "biased"):
        assert _value(results, what, "Laplacian.track_flops", "hvp_loop") > 0
    for estimator in ("hessian_trace", "forward_laplacian", "hutchinson"):
        counts = {_value(results, what, "Laplacian.track_flops", estimator) for what in results}
        assert len(counts) == 1, estimator
        assert min(counts) > 0
    names = ("hessian_trace", "hvp_loop", "hutchinson")
    assert len({_value(results, "new", "Laplacian.track_flops", name) for name in names}) == len(names)


def test_measuring_the_new_one_alone_keeps_every_other_value(runs):
    before, after = runs
    for what, metrics in before.items():
        for metric, values in metrics.items():
            for at, value in values.items():
                assert at[0] != "hvp_loop"
                if value is not None and not math.isnan(value):
                    assert after[what][metric][at] == value


def test_the_slower_estimator_is_slower_in_its_commits_alone(results):
    def step(what, estimator):
        return _value(results, what, "ScoreMatching.track_step_time", estimator)

    for what in ("slower", "new", "biased"):
        assert step(what, "ssm") > step("baseline", "ssm") + 0.04
    assert step("slower", "taylor_ssm") < step("baseline", "taylor_ssm") + 0.04


def test_the_biased_estimator_is_biased_in_its_commit_alone(results):
    def bias(what, estimator):
        return _value(results, what, "ScoreMatching.track_gradient_bias", estimator)

    assert bias("biased", "ssm") > 0.05
    assert bias("slower", "ssm") < 0.05
    assert bias("biased", "taylor_ssm") < 0.05


def test_a_step_time_is_a_timing_with_its_interval(history, results):
    repository, commits = history
    (file,) = (repository / ".asv" / "results").glob(f"*/{commits['new'][:8]}-*.json")
    content = json.loads(file.read_text())
    row = dict(zip(content["result_columns"], content["results"]["sweep.ScoreMatching.track_step_time"], strict=False))
    index = row["params"][0].index("'ssm'")
    assert row["stats_ci_99_a"][index] < row["result"][index] < row["stats_ci_99_b"][index]
    kinds = json.loads((repository / ".asv" / "results" / "benchmarks.json").read_text())
    assert kinds["sweep.ScoreMatching.track_step_time"]["type"] == "time"
    assert kinds["sweep.ScoreMatching.track_step_time"]["unit"] == "seconds"


@pytest.mark.parametrize("source", ["asv", "store"])
def test_the_history_page_names_the_commits(history, results, source):
    from reports.frames.history import history as followed
    from reports.frames.history import load_rows
    from reports.frames.steps import steps

    repository, commits = history
    rows = load_rows([repository / ".asv" / "stores"])
    over = followed(rows, repository / ".asv" / "results", [repository])
    assert [commit.name for commit in over.commits] == list(commits.values())
    found = steps(over.rows[over.rows["source"] == source])
    found = found.assign(at=[over.commits[place].subject for place in found["after"]])
    named = {tuple(row) for row in found[["estimator", "measure", "word", "at"]].itertuples(index=False)}
    assert {row for row in named if row[0] == "ssm" and row[1] == "time_step_s"} == {
        ("ssm", "time_step_s", "slower", "slower")
    }
    assert {row for row in named if row[1] == "grad_bias"} == {("ssm", "grad_bias", "more biased", "biased")}
    assert not [row for row in named if row[1] == "peak_step_bytes"]


def test_diff_gives_the_same_verdicts(history):
    repository, commits = history

    def words(old, new):
        points = [point for point in load("smoke").points() if point.estimator in ("ssm", "taylor_ssm")]
        changes = between_commits(commits[old], commits[new], points, repository=repository, rounds=12)
        return {(change.estimator, change.measure): change.word for change in changes}

    slower = words("baseline", "slower")
    assert slower.pop(("ssm", "time")) == "slower"
    assert set(slower.values()) == {"same"}
    biased = words("new", "biased")
    assert biased.pop(("ssm", "bias")) == "more biased"
    assert set(biased.values()) <= {"same", "unclear"}


@pytest.mark.browser
def test_the_published_site_opens_from_disk_with_the_network_off(history, results, asv, tmp_path):
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None or shutil.which("npm") is None:
        pytest.skip("needs Chromium and npm")
    from playwright.sync_api import sync_playwright

    repository, _ = history
    asv("publish")
    site = repository / ".asv" / "html"
    subprocess.run([sys.executable, "-m", "bench.vendor_asv_site", str(site)], cwd=ROOT, check=True)
    troubles = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_context(offline=True).new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("requestfailed", lambda request: troubles.append(request.url))
        page.goto(f"{(site / 'index.html').as_uri()}#sweep.ScoreMatching.track_step_time")
        page.wait_for_selector("text=estimator-taylor_ssm", timeout=20_000)
        page.wait_for_selector("canvas", timeout=20_000)
        page.screenshot(path=tmp_path / "site.png")
        browser.close()
    assert not troubles
