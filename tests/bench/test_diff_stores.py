"""What `diff` names between two stores, and how the verb says it."""

import json
import re

import numpy as np
import pytest

from bench.__main__ import main
from bench.columns import COLUMNS
from bench.diff import between_stores
from bench.diff.medians import ratio_interval
from bench.diff.stores import environment_differences
from bench.process.workers import StartError
from bench.store import Store

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
    (tmp_path / "file").touch()
    for arguments, message in (
        (["HEAD", "no-such-commit"], "'no-such-commit' is neither a store's file nor a commit"),
        (["HEAD", "HEAD", "--estimators", "smm"], "sweep smoke has no estimator 'smm'"),
        (["HEAD", "HEAD", "--fail-on", "worse"], "no verdict called 'worse'; allowed: slower, heavier, biased"),
        (["HEAD", "HEAD", "--sweep", "smokey"], "smoke"),
        (["HEAD", str(tmp_path / "file")], "two stores or two commits"),
    ):
        assert main(["diff", *arguments]) == 2
        error = capsys.readouterr().err.strip()
        assert message in error
        assert "\n" not in error.strip().splitlines()[-1]
