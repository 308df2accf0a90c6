"""asv over four planted commits: each number is filed under the commit and the estimator it belongs to.

Builds a throw-away repository and a real asv environment, so it takes some minutes, and the network or a local package
index. It runs where ASV_SCENARIO is set: ``ASV_SCENARIO=1 pytest tests/bench/test_asv_scenario.py``.
"""

import json
import math
import os
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SSM = "estimators/score_matching/ssm.py"
NEW = "estimators/laplacian/hvp_loop.py"
ENDING = "    result = total / probes\n"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("ASV_SCENARIO" not in os.environ, reason="takes minutes and an environment; set ASV_SCENARIO"),
]


def _git(repository, *arguments):
    command = [
        "git",
        "-C",
        str(repository),
        "-c",
        "user.name=test",
        "-c",
        "user.email=test@example.invalid",
        *arguments,
    ]
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
    biased = ssm.replace(ENDING, "    result = 1.25 * total / probes\n")
    (repository / NEW).unlink()
    commits = {}
    for what, path, content in (
        ("without", SSM, ssm),  # lacks hvp_loop
        ("new", NEW, new),
        ("slower", SSM, slower),
        ("biased", SSM, biased),
    ):
        (repository / path).write_text(content)
        _git(repository, "add", "-A")
        _git(repository, "commit", "-q", "--allow-empty", "-m", what)
        commits[what] = _git(repository, "rev-parse", "HEAD")
    return repository, commits


@pytest.fixture(scope="module")
def results(history):
    """{commit: {metric: {(estimator, dim, depth, order): value}}} as asv filed them."""
    repository, commits = history
    asv = [sys.executable, "-m", "asv"]
    environment = {**os.environ, "BENCH_PRESET": "smoke", "HOME": str(repository / ".asv-home")}
    (repository / ".asv-home").mkdir()
    subprocess.run([*asv, "machine", "--yes"], cwd=repository, env=environment, check=True, capture_output=True)
    for span in (f"{commits['without']}^!", f"{commits['without']}..HEAD"):
        run = [*asv, "run", "--bench", "sweep", "--show-stderr", span]
        done = subprocess.run(run, cwd=repository, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
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


def _value(results, what, metric, estimator):
    values = results[what][f"sweep.{metric}"]
    (found,) = [value for at, value in values.items() if at[0] == estimator]
    return math.nan if found is None else float(found)


def test_a_commit_without_the_estimator_shows_none_and_shifts_no_label(results):
    assert math.isnan(_value(results, "without", "Laplacian.track_flops", "hvp_loop"))
    assert _value(results, "new", "Laplacian.track_flops", "hvp_loop") > 0
    for estimator in ("hessian_trace", "forward_laplacian", "hutchinson"):
        counts = {_value(results, what, "Laplacian.track_flops", estimator) for what in results}
        assert len(counts) == 1, estimator
    names = ("hessian_trace", "hvp_loop", "hutchinson")
    assert len({_value(results, "new", "Laplacian.track_flops", name) for name in names}) == len(names)


def test_the_slower_estimator_is_slower_in_its_commit_alone(results):
    def step(what, estimator):
        return _value(results, what, "ScoreMatching.track_step_time", estimator)

    assert step("slower", "ssm") > step("new", "ssm") + 0.04
    assert step("biased", "ssm") < step("new", "ssm") + 0.04
    assert step("slower", "taylor_ssm") < step("new", "taylor_ssm") + 0.04


def test_the_biased_estimator_is_biased_in_its_commit_alone(results):
    def bias(what, estimator):
        return _value(results, what, "ScoreMatching.track_gradient_bias", estimator)

    assert bias("biased", "ssm") > 0.05
    assert bias("slower", "ssm") < 0.05
    assert bias("biased", "taylor_ssm") < 0.05


@pytest.mark.browser
def test_the_published_site_opens_from_disk_with_the_network_off(history, results):
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None or shutil.which("npm") is None:
        pytest.skip("needs Chromium and npm")
    from playwright.sync_api import sync_playwright

    repository, _ = history
    subprocess.run([sys.executable, "-m", "asv", "publish"], cwd=repository, check=True, capture_output=True)
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
        browser.close()
    assert not troubles
