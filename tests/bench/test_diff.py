"""What `diff` names between two commits: planted changes, and nothing where nothing changed."""

import contextlib
import shutil
import subprocess
from pathlib import Path

import pytest

from bench.diff import between_commits
from bench.diff.change import DiffError
from bench.diff.commits import CommitBench
from bench.diff.environment import of_commits
from bench.process.workers import StartError
from bench.sweep import load

ROOT = Path(__file__).resolve().parents[2]
PLANTED = {  # estimator: (its file, what happens to its result, the word for it)
    "ssm": (
        "score_matching",
        "until = time.perf_counter() + 0.003\n    while time.perf_counter() < until: pass",
        "slower",
    ),
    "taylor_ssm": ("score_matching", "result.ballast = torch.zeros(2**18)", "heavier"),
    "hutchinson": ("laplacian", "result = 1.01 * result", "more biased"),
}
WRAPPER = """

import time

_unplanted = {name}.function


def _planted(*args, **options):
    result = _unplanted(*args, **options)
    {change}
    return result


object.__setattr__({name}, "function", _planted)
"""


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
def repository(tmp_path_factory):
    """A repository of `estimators` with two commits: the second has planted changes and lacks fd_ssm."""
    folder = tmp_path_factory.mktemp("repository")
    shutil.copytree(ROOT / "estimators", folder / "estimators", ignore=shutil.ignore_patterns("__pycache__"))
    _git(folder, "init", "-q", "-b", "main")
    _git(folder, "add", "-A")
    _git(folder, "commit", "-q", "-m", "old")
    _git(folder, "tag", "old")
    for name, (room, change, _) in PLANTED.items():
        with (folder / "estimators" / room / f"{name}.py").open("a") as file:
            file.write(WRAPPER.format(name=name, change=change))
    (folder / "estimators" / "score_matching" / "fd_ssm.py").unlink()
    _git(folder, "commit", "-qam", "new")
    _git(folder, "tag", "new")
    return folder


def _points(*names):
    return [point for point in load("smoke").points() if point.estimator in names]


@pytest.fixture(scope="module")
def changes(repository):
    """{(estimator, measure): change} of all that was planted, and of what was not."""
    points = _points(*PLANTED, "fd_ssm", "sm_exact")
    assert len(points) == 5
    found = between_commits("old", "new", points, repository=repository, rounds=12, measure_all=True)
    return {(change.estimator, change.measure): change for change in found}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_change_is_named(changes, name):
    word = PLANTED[name][2]
    worse = {
        measure: changes[name, measure].word
        for measure in ("time", "memory", "bias")
        if changes[name, measure].is_worse
    }
    assert word in worse.values()
    assert set(worse.values()) <= {word, "slower"}  # a ballast takes time, too


def test_a_bias_of_one_percent_is_measured_as_such(changes):
    bias = changes["hutchinson", "bias"]
    assert bias.low <= 0.0102
    assert bias.high >= 0.0098
    assert "moved by" in bias.note


def test_unchanged_code_names_nothing(changes):
    found = [changes["sm_exact", measure] for measure in ("time", "memory", "bias")]
    assert not any(change.is_change for change in found)
    assert (found[2].word, found[2].high) == ("same", 0)


def test_a_version_without_the_estimator_is_broken(changes):
    found = [changes["fd_ssm", measure] for measure in ("time", "memory", "bias")]
    assert {change.word for change in found} == {"broken"}
    assert all(change.is_worse for change in found)
    assert "new: error" in found[0].note
    assert "no estimator called 'fd_ssm'" in found[0].note


def test_the_same_source_is_not_measured(repository):
    found = between_commits("old", "new", _points("hessian_trace"), repository=repository)
    assert [change.note for change in found] == ["same source in both; not measured"] * 3


def test_what_is_no_commit_is_refused(repository):
    with pytest.raises(DiffError, match="'nonsense' is neither a store's file nor a commit"):
        between_commits("nonsense", "old", _points("ssm"), repository=repository)


@pytest.fixture(scope="module")
def unusable(repository):
    """A third commit, whose package raises as it is imported; the branch is left where it was."""
    _git(repository, "checkout", "-q", "-b", "unusable", "old")
    with (repository / "estimators" / "__init__.py").open("a") as file:
        file.write("import no_such_package\n")
    (repository / "requirements-dev.txt").write_text("torch==1.0.0  # the oldest\n")
    _git(repository, "add", "-A")
    _git(repository, "commit", "-qm", "unusable")
    _git(repository, "checkout", "-q", "main")
    return repository


def test_a_commit_that_cannot_be_imported_is_refused_in_one_line(unusable):
    name = _git(unusable, "rev-parse", "--short=12", "unusable")
    with pytest.raises(DiffError) as caught:  # hessian_trace is the same program in both: nothing would be measured
        between_commits("old", "unusable", _points("hessian_trace"), repository=unusable)
    why = "cannot be imported here: ModuleNotFoundError: No module named 'no_such_package'"
    assert str(caught.value) == f"the estimators of commit {name} {why}"


def test_what_two_commits_do_not_get_is_said_first(unusable):
    (line,) = of_commits("old", "unusable", unusable)
    assert line.startswith("no pin of torch → torch==1.0.0 in requirements-dev.txt; both are measured with torch 2")
    (unusable / "estimators" / "new.py").write_text("")
    try:
        (line,) = of_commits("old", "new", unusable)
    finally:
        (unusable / "estimators" / "new.py").unlink()
    assert line == "estimators/new.py has uncommitted changes, which belong to no commit and are not measured"
    assert of_commits("old", "new", unusable) == []


def test_each_launch_of_two_commits_has_new_servers():
    with CommitBench(ROOT) as bench:
        with contextlib.closing(bench.worker("cpu")):
            server = bench._launcher("cpu")
        bench.between_launches()
        with contextlib.closing(bench.worker("cpu")):
            assert bench._launcher("cpu") is not server


def test_workers_with_other_estimators_than_the_commits_are_refused(repository, tmp_path):
    (point,) = _points("hessian_trace")
    with CommitBench(repository) as bench:
        worker = bench.worker("cpu")
        bench.folder = tmp_path
        with pytest.raises(StartError, match=r"a worker imported \S+, not the estimators in"):
            bench.open(worker, point)
        worker.close()
