"""What `diff` names: planted changes between commits and between stores, and nothing where nothing changed."""

import contextlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from bench.__main__ import main
from bench.columns import COLUMNS
from bench.diff import between_commits, between_stores
from bench.diff.change import DiffError, memory_change
from bench.diff.commits import CommitBench
from bench.diff.environment import of_commits
from bench.diff.gradient import gradient_change
from bench.diff.medians import ratio_interval
from bench.diff.stores import environment_differences
from bench.process.workers import StartError
from bench.statistics.bias import bias_interval
from bench.store import Store
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


def _blocks(rng, bias, noise=0.3, size=400, blocks=32):
    exact = np.zeros(size)
    exact[0] = 1
    shared = noise * rng.standard_normal((blocks, size)) / np.sqrt(size)
    return exact, exact + bias * np.eye(size)[1] + shared


def test_gradients_with_shared_noise_show_a_small_bias():
    exact, old = _blocks(np.random.default_rng(0), 0.0)
    _, new = _blocks(np.random.default_rng(0), 0.01)
    found = gradient_change("p", "e", old, new, exact)
    assert found.word == "more biased"
    assert found.ratio == pytest.approx(0.01)
    assert gradient_change("p", "e", old, old, exact).word == "same"


def test_a_bias_removed_is_less_biased():
    exact, old = _blocks(np.random.default_rng(1), 0.3)
    _, new = _blocks(np.random.default_rng(1), 0.0)
    assert gradient_change("p", "e", old, new, exact).word == "less biased"
    assert gradient_change("p", "e", new, old, exact).word == "more biased"
    assert gradient_change("p", "e", old, new, None).word == "more biased"  # nothing shows it moved for the better


def test_a_bias_halved_is_less_biased_though_neither_is_told_from_zero():
    # their common noise is 5 % of the gradient, the bias along one direction in 400 of it: 300 of 300 seeds say so
    exact, old = _blocks(np.random.default_rng(3), 0.02)
    _, new = _blocks(np.random.default_rng(3), 0.01)
    assert not bias_interval((old - exact) @ (old - exact).T).resolved
    assert gradient_change("p", "e", old, new, exact).word == "less biased"
    assert gradient_change("p", "e", new, old, exact).word == "more biased"


def test_other_probes_of_the_same_law_are_no_change():
    # 40 pairs, each falsely called with probability below 1 %; seeded
    rng = np.random.default_rng(2)
    words = []
    for _ in range(40):
        exact, old = _blocks(rng, 0.0)
        words.append(gradient_change("p", "e", old, _blocks(rng, 0.0)[1], exact).word)
    assert words.count("unclear") >= 39


def test_deterministic_gradients_are_compared_exactly():
    exact = np.ones((1, 4))
    assert gradient_change("p", "e", exact, exact * 1.02, exact[0]).word == "more biased"
    assert gradient_change("p", "e", exact * 1.02, exact, exact[0]).word == "less biased"
    assert gradient_change("p", "e", exact, exact * (1 + 1e-7), exact[0]).word == "same"


def test_gradients_that_cannot_be_compared():
    a = np.ones((4, 3))
    assert gradient_change("p", "e", a, np.ones((4, 5)), None).word == "not comparable"
    assert gradient_change("p", "e", a * np.nan, a, None).word == "not comparable"
    assert gradient_change("p", "e", a * np.nan, a * np.nan, None).word == "not comparable"
    assert gradient_change("p", "e", a, a * np.nan, None).word == "broken"


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        (10**6, 1_100_000, "heavier"),
        (10**6, 900_000, "lighter"),
        (10**6, 1_005_000, "same"),
        (1000, 2000, "same"),
        (10, None, "not comparable"),
    ],
)
def test_memory(old, new, word):
    assert memory_change("p", "e", old, new).word == word


MACHINE = {"cpu": "a", "cores_logical": 2, "gpus": [], "torch": "2.13.0", "governor": "performance"}


def _row(step=1.0, seed=0, **changed):
    rng = np.random.default_rng(seed)
    anchor = 0.01 * np.exp(rng.normal(0, 0.1, 15))
    row = {column.name: None for column in COLUMNS} | {
        "estimator": "ssm",
        "options": {"probes": 1},
        "model": "mlp",
        "dim": 16,
        "outcome": "ok",
        "method_version": "1",
        "commit": "c",
        "machine": json.dumps(MACHINE),
        "time_step_s": 0.02 * step,
        "time_samples": list(2 * step * anchor * np.exp(rng.normal(0, 0.01, 15))),
        "extra": {"anchor_samples": list(anchor)},
        "peak_step_bytes": 10**6,
        "grad_bias": 0.01,
        "grad_bias_low": 0.0098,
        "grad_bias_high": 0.0102,
    }
    return {**row, **changed}


def _words(old, new):
    return {change.measure: change.word for change in between_stores([old], [new])}


def test_stores_compare_through_their_anchors():
    same = {"time": "same", "memory": "same", "bias": "same"}
    assert _words(_row(), _row(seed=1)) == same
    assert _words(_row(), _row(1.2, seed=1)) == same | {"time": "slower"}
    assert _words(_row(1.2), _row(seed=1)) == same | {"time": "faster"}
    # twice as slow a machine that day: anchor and step alike
    slow = _row(seed=1)
    slow["time_samples"] = [2 * t for t in slow["time_samples"]]
    slow["extra"] = {"anchor_samples": [2 * t for t in slow["extra"]["anchor_samples"]]}
    assert _words(_row(), slow) == same
    assert _words(_row(), _row(peak_step_bytes=2 * 10**6))["memory"] == "heavier"
    assert _words(_row(), _row(grad_bias=0.03, grad_bias_low=0.02, grad_bias_high=0.04))["bias"] == "more biased"


def test_wide_intervals_of_a_bias_are_unclear():
    wide = {"grad_bias_low": 0.0, "grad_bias_high": 0.2}
    found = between_stores([_row(**wide)], [_row(**wide)])[2]
    assert (found.word, found.note) == ("unclear", "the intervals cannot tell; more draws could")
    assert _words(_row(**wide), _row())["bias"] == "unclear"
    assert _words(_row(), _row(grad_bias_low=0.0, grad_bias_high=0.001))["bias"] == "less biased"


@pytest.mark.parametrize(
    ("step", "together", "word"),
    [(1.04, 1, "same"), (1.05, 1, "unclear"), (1.06, 1, "slower"), (1.06, 100, "unclear"), (1.08, 100, "slower")],
)
def test_a_time_is_named_where_its_interval_clears_the_floor_for_all_together(step, together, word):
    rest = [_row(dim=100 + k) for k in range(together - 1)]
    assert between_stores([_row(), *rest], [_row(step, seed=1), *rest])[0].word == word
    back = between_stores([_row(step, seed=1), *rest], [_row(), *rest])[0].word
    assert back == {"slower": "faster"}.get(word, word)


@pytest.mark.parametrize(("rows", "word"), [(1, "slower"), (163, "slower"), (164, "unclear")])
def test_a_level_that_the_rounds_cannot_reach_is_unclear(rows, word):
    # 15 rounds bound a median with at most 1 − 2^−14: 99 % for 163 comparisons together, and no more
    stores = [[_row(step, seed) | {"dim": dim} for dim in range(rows)] for step, seed in ((1.0, 0), (1.5, 1))]
    times = [change for change in between_stores(*stores) if change.measure == "time"]
    assert {change.word for change in times} == {word}
    assert word == "slower" or times[0].note == "15 rounds; 164 comparisons together need at least 16"


def test_the_interval_of_a_ratio_reaches_far_tails():
    # the median of 3 draws from 3 is each of them with probability 7/27, 13/27, 7/27
    old, new = np.array([1.0, 1.1, 1.2]), np.array([2.0, 2.2, 2.4])
    assert ratio_interval(old, new, 1e-4) == pytest.approx((2.0 / 1.2, 2.4))
    assert ratio_interval(old, new, 0.3) == pytest.approx((2.2 / 1.2, 2.4 / 1.1))
    assert ratio_interval(old, new, 0.4) == pytest.approx((2.0, 2.0))


def test_stores_say_what_cannot_be_compared():
    other = _row(machine=json.dumps({**MACHINE, "cpu": "b"}))
    assert _words(_row(), other) == {"time": "not comparable", "memory": "same", "bias": "same"}
    assert environment_differences([_row()], [other]) == ["cpu: a → b"]
    assert environment_differences([_row()], [_row()]) == []
    assert set(_words(_row(), _row(method_version="2")).values()) == {"not comparable"}
    assert set(_words(_row(), _row(outcome="crashed")).values()) == {"broken"}
    assert set(_words(_row(), _row(outcome="skipped")).values()) == {"not comparable"}
    assert set(_words(_row(outcome="timeout"), _row()).values()) == {"not comparable"}
    assert set(_words(_row(outcome="timeout"), _row(outcome="timeout")).values()) == {"not comparable"}
    assert _words(_row(), _row(extra=None))["time"] == "not comparable"
    changes = between_stores([_row(), _row(dim=32)], [_row(), _row(dim=64)])[3:]
    assert [change.note for change in changes] == ["the new store does not hold it"] * 3 + [
        "the old store does not hold it"
    ] * 3


def test_stores_without_a_common_point_are_refused(tmp_path, capsys):
    paths = []
    for name, rows in (("old", [_row()]), ("new", [_row(dim=32), _row(dim=64)]), ("empty", [])):
        paths.append(str(tmp_path / f"{name}.sqlite"))
        with Store(paths[-1]) as store:
            for key, row in enumerate(rows):
                store.put({**row, "key": f"{name}{key}"})
    for others, counts in ((paths[:2], "1 and the new one's 2"), (paths[::2], "1 and the new one's 0")):
        assert main(["diff", *others]) == 2
        error = capsys.readouterr().err
        assert (
            error == f"error: no point is in both stores, of the old store's {counts}; `export` lists what each holds\n"
        )


def test_the_verb_on_stores(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    options = {"options": {"probes": 4, "law": "rademacher", "chunk": 2}}  # a long label does not push verdicts out
    paths = []
    for name, row in (("old", _row(**options)), ("new", _row(1.5, seed=1, **options))):
        path = tmp_path / f"{name}.sqlite"
        with Store(path) as store:
            store.put({**row, "key": name})
        paths.append(str(path))
    assert main(["diff", *paths, "--fail-on", "heavier"]) == 0
    output = capsys.readouterr().out
    assert re.search(r"slower +20 ms +30 ms +\+\d\d\.\d % +\+\d\d\.\d to \+\d\d\.\d %", output)
    assert "ssm probes=4" in output and "rademacher" not in output  # the law is the default one
    assert "1 slower, 2 same" in output
    assert main(["diff", *paths, "--fail-on", "slower,heavier"]) == 1


@pytest.mark.parametrize("word", ["slower", "heavier", "biased"])
def test_what_broke_fails_on_any_word(tmp_path, capsys, word):
    paths = []
    for name, row in (("old", _row()), ("new", _row(outcome="crashed"))):
        path = tmp_path / f"{name}.sqlite"
        with Store(path) as store:
            store.put({**row, "key": name})
        paths.append(str(path))
    assert main(["diff", *paths]) == 0
    assert "broken: ssm mlp D=16" in capsys.readouterr().out.replace("\n", " ")
    assert main(["diff", *paths, "--fail-on", word]) == 1


def test_workers_that_do_not_start_are_one_line(monkeypatch, capsys):
    def no_workers(*_, **__):
        raise StartError("the fork-server did not start (Closed):\n  Traceback")

    monkeypatch.setattr("bench.diff.between_commits", no_workers)
    assert main(["diff", "HEAD", "HEAD"]) == 2
    assert capsys.readouterr().err.strip() == "error: the fork-server did not start (Closed): Traceback"


def test_the_verbs_mistakes_are_one_line(tmp_path, capsys):
    for arguments, message in (
        (["HEAD", "no-such-commit"], "'no-such-commit' is neither a store's file nor a commit"),
        (["HEAD", "HEAD", "--estimators", "smm"], "sweep smoke has no estimator 'smm'"),
        (["HEAD", "HEAD", "--fail-on", "worse"], "no verdict called 'worse'; allowed: slower, heavier, biased"),
        (["HEAD", "HEAD", "--sweep", "smokey"], "smoke"),
        (["HEAD", str(ROOT / "pyproject.toml")], "two stores or two commits"),
    ):
        assert main(["diff", *arguments]) == 2
        error = capsys.readouterr().err.strip()
        assert message in error
        assert "\n" not in error.strip().splitlines()[-1]
