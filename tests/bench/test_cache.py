"""The cache: what was used longest ago goes first, a damaged entry is told of and made anew, two runs share it."""

from __future__ import annotations

import multiprocessing
import os
import time

import numpy as np
import pytest

from bench import cache, eviction, references, sizes
from bench.__main__ import main
from bench.measure import Bench
from bench.point import ProblemSpec

SPEC = ProblemSpec(model="gaussian", data="gaussian", dim=3, depth=1, batch=4)
KIB = np.zeros(128)  # 1 KiB, and a header of 128 bytes


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv(cache.ENVIRONMENT_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(eviction, "IN_USE_S", 0.0)
    return tmp_path / "cache"


def _aged(number: int, age_s: float) -> None:
    cache.write_array(path := cache.array_path("data", {"n": number}), KIB)
    os.utime(path, (time.time() - age_s,) * 2)


def _there() -> set[int]:
    return {n for n in range(9) if cache.array_path("data", {"n": n}).exists()}


def test_what_was_used_longest_ago_goes_first(folder, monkeypatch):
    for number, age_s in enumerate((400, 300, 200, 100)):
        _aged(number, age_s)
    assert cache.read_array(cache.array_path("data", {"n": 0})) is not None  # the oldest, used now
    monkeypatch.setenv(eviction.LIMIT_VARIABLE, "4KiB")
    _aged(4, 0)
    assert _there() == {0, 3, 4}
    assert sum(entry.size_bytes for entry in eviction.entries(folder)) == 3 * (1024 + 128)


def test_a_file_under_way_stays_and_one_that_was_abandoned_goes(folder, monkeypatch):
    _aged(0, 0)
    for name, age_s in ((".writing-a.npy", 100), (".writing-b.npy", 4000)):
        (folder / "data" / name).write_bytes(b"x" * 500)
        os.utime(folder / "data" / name, (time.time() - age_s,) * 2)
    monkeypatch.setenv(eviction.LIMIT_VARIABLE, "1B")
    eviction.clear(folder)
    assert [path.name for path in (folder / "data").iterdir()] == [".writing-a.npy"]


def test_what_was_used_lately_stays_whatever_the_limit(folder, monkeypatch):
    monkeypatch.setattr(eviction, "IN_USE_S", 250.0)
    monkeypatch.setenv(eviction.LIMIT_VARIABLE, "1B")
    for number, age_s in enumerate((300, 200, 100)):
        _aged(number, age_s)
    assert _there() == {1, 2}


@pytest.mark.parametrize("harm", ["cut short", "a byte changed", "another array"])
def test_a_damaged_reference_is_told_of_in_one_line_and_computed_again(folder, capfd, harm):
    before = references.load_or_compute(SPEC, "score_matching")
    (path,) = (folder / "references").glob("*.npz")
    content = path.read_bytes()
    if harm == "another array":
        np.savez(path, value=np.zeros(3))
    else:
        path.write_bytes(content[:-100] if harm == "cut short" else content.replace(content[300:308], b"\0" * 8, 1))
    capfd.readouterr()
    again = references.load_or_compute(SPEC, "score_matching")
    assert capfd.readouterr().err.splitlines() == [f"{cache.DAMAGED}{path}: computed again"]
    assert np.array_equal(before.gradient, again.gradient) and again.label == before.label
    assert np.array_equal(references.load_or_compute(SPEC, "score_matching").gradient, before.gradient)
    assert not capfd.readouterr().err


def test_the_coordinator_passes_the_line_on(folder, capfd):
    references.load_or_compute(SPEC, "score_matching")
    (path,) = (folder / "references").glob("*.npz")
    path.write_bytes(b"no archive")
    capfd.readouterr()
    with Bench(predict=False) as bench:
        assert bench.reference(SPEC, "score_matching", 2, "sm", 1) == ""
    assert capfd.readouterr().err.count(f"{cache.DAMAGED}{path}") == 1


def _write_many(seed: int) -> None:
    for step in range(60):
        n = (step * 7 + seed) % 9
        value = cache.array("data", {"n": n}, (128,), lambda n=n: np.full(128, float(n)))
        assert (value == n).all()


def test_two_runs_at_once_never_read_a_part_of_a_file(folder, monkeypatch):
    monkeypatch.setenv(eviction.LIMIT_VARIABLE, "5KiB")
    others = [multiprocessing.get_context("fork").Process(target=_write_many, args=(seed,)) for seed in range(3)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert [other.exitcode for other in others] == [0, 0, 0]
    assert 0 < sum(entry.size_bytes for entry in eviction.entries(folder)) <= 5 * 1024
    assert not list(folder.glob("*/.writing-*"))


def test_the_limit_is_read_or_refused_in_one_line(folder, monkeypatch, capsys):
    monkeypatch.delenv(eviction.LIMIT_VARIABLE, raising=False)
    assert eviction.limit_bytes() == 10 * 2**30
    monkeypatch.setenv(eviction.LIMIT_VARIABLE, "1.5GB")
    assert eviction.limit_bytes() == 1.5e9
    monkeypatch.setenv(eviction.LIMIT_VARIABLE, "plenty")
    assert main(["doctor"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "ESTIMATOR_BENCH_CACHE_LIMIT has to be" in told and "'plenty'" in told


@pytest.mark.parametrize(
    ("text", "units", "amount"),
    [
        ("80GiB", sizes.BYTES, 80 * 2**30),
        ("400 TFLOP/s", sizes.FLOPS, 4e14),
        ("3.35TB/s", sizes.BYTES_A_SECOND, 3.35e12),
        ("5us", sizes.SECONDS, 5e-6),
    ],
)
def test_amounts(text, units, amount):
    assert sizes.read(text, units, "") == pytest.approx(amount)


@pytest.mark.parametrize("text", ["80", "GiB", "-1GiB", "0GiB", "1e3", "80 gib", "1GiB2", ""])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(ValueError, match="has to be a positive number with a unit"):
        sizes.read(text, sizes.BYTES, "80GiB")
