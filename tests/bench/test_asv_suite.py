"""asv's suite: its axes, what it reads from a commit's store, and its configuration."""

import functools
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import estimators
from bench.key import METHOD_VERSION
from bench.measure import Bench
from bench.process.workers import StartError
from bench.store import Store
from bench.suites import axes, measurement, sweep

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = (sweep.ScoreMatching, sweep.Laplacian, sweep.Directional, sweep.LogLikelihood)


def test_every_built_in_estimator_is_followed():
    for quantity, listed in axes.ESTIMATORS.items():
        assert len(set(listed)) == len(listed)
        built_in = {name for name in estimators.names(quantity) if estimators.get(name).origin == "estimators"}
        missing = built_in - set(listed)
        assert not missing, f"append {sorted(missing)} to the {quantity} estimators of bench/suites/axes.py"


def test_each_question_is_asked_once_with_the_estimator_first():
    assert {question.quantity for question in QUESTIONS} == set(axes.ESTIMATORS)
    for question in QUESTIONS:
        assert question.param_names[0] == "estimator"
        assert len(question.params) == len(question.param_names)
        assert all(isinstance(value, (str, int)) for values in question.params for value in values)
        assert question.version == METHOD_VERSION, "raise the suite's version with the method version"
        assert question.setup_cache is sweep._Question.setup_cache  # one sweep a commit, not one a question


@pytest.mark.parametrize("preset", axes.PRESETS)
def test_every_preset_asks_every_question(preset):
    for quantity in axes.ESTIMATORS:
        assert all(axes.parameters(quantity, preset))


def test_one_label_is_one_problem_in_every_preset():
    for quantity in axes.ESTIMATORS:  # asv files a value under estimator, dim, depth and order, whatever the preset
        problems = {(grids[quantity].width, grids[quantity].batch) for grids in axes.PRESETS.values()}
        assert len(problems) == 1


def test_the_environment_holds_what_the_report_is_drawn_with():
    required = json.loads((ROOT / "asv.conf.json").read_text())["matrix"]["req"]
    assert {"altair", "asv", "jinja2", "matplotlib", "pandas", "vl-convert-python"} <= set(required)


def test_an_unknown_preset_is_refused():
    done = _python("import bench.suites.axes", BENCH_PRESET="defualt")
    assert done.returncode == 1
    assert "BENCH_PRESET has to be one of smoke, default, full; got 'defualt'" in done.stderr


def test_importing_the_suite_does_not_import_torch():
    done = _python("import sys, bench.suites.sweep, bench.suites.harness; print('torch' in sys.modules)")
    assert done.stdout.strip() == "False", done.stderr


def test_other_estimators_than_the_installed_ones_are_refused(tmp_path):
    done = _python("import bench.suites", ASV_ENV_DIR=str(tmp_path))
    assert done.returncode == 1
    assert "asv measures the commit installed in" in done.stderr
    assert _python("import bench.suites", ASV_ENV_DIR=str(tmp_path), ASV_ENV_TYPE="existing").returncode == 0


@pytest.mark.parametrize("package", ["estimators", "bench"])
def test_workers_that_import_another_package_are_refused(package, tmp_path, monkeypatch):
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    other = re.escape(str(tmp_path / package / "__init__.py"))
    with Bench(predict=False) as bench, pytest.raises(StartError, match=f"workers imported {package} from {other}"):
        bench.worker("cpu")


def test_the_checkout_is_appended_to_the_path_not_inserted(tmp_path):
    (tmp_path / "suites").symlink_to(ROOT / "bench" / "suites")
    command = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import suites; print(sys.path.index({str(ROOT)!r}))"
    done = subprocess.run([sys.executable, "-P", "-c", command], capture_output=True, text=True, cwd=tmp_path)
    assert int(done.stdout) >= 3, done.stderr


def _python(command, **environment):
    return subprocess.run(
        [sys.executable, "-c", command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**{k: v for k, v in os.environ.items() if not k.startswith(("ASV_", "BENCH_"))}, **environment},
    )


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A commit's store with one row of each kind, at the first parameters of the question."""
    monkeypatch.setattr(axes, "PRESET", "smoke")
    grid = axes.PRESETS["smoke"]["score_matching"]
    at = {"quantity": "score_matching", "dim": 16, "depth": 2, "order": 2, "width": grid.width, "batch": grid.batch}
    measured = {
        "time_step_s": 0.002,
        "time_samples": [0.001, 0.002, 0.003],
        "time_ratio": 2.0,
        "extra": {"anchor_samples": [0.0005, 0.001, 0.001]},
        "time_value_s": 0.001,
        "peak_step_bytes": 1000,
        "predicted_peak_bytes": None,
        "grad_bias": 0.3,
        "grad_std": 0.7,
        "flops_step": 5,
    }
    path = tmp_path / "commit.sqlite"
    with Store(path) as rows:
        rows.put({**at, **measured, "key": "1", "estimator": "ssm", "outcome": "ok", "bias_resolved": False})
        rows.put({**at, **measured, "key": "2", "estimator": "fd_ssm", "outcome": "ok", "bias_resolved": True})
        rows.put({**at, "key": "3", "estimator": "dsm", "outcome": "timeout", "reason": "no answer within 60 s"})
        rows.put({**at, "key": "4", "estimator": "ssm_vr", "outcome": "unsupported", "reason": "no rule for relu"})
        rows.put({**at, **measured, "key": "5", "estimator": "sm_exact", "outcome": "ok", "batch": 999})
    return str(path)


def _question(store, estimator):
    question = sweep.ScoreMatching()
    question.setup(store, estimator, 16, 2, 2)
    return question


def test_values_are_read_from_the_store(store):
    question = _question(store, "fd_ssm")
    assert question.track_step_time() == {"samples": [0.001, 0.002, 0.003], "number": 1}
    assert question.track_step_ratio() == {"samples": [2.0, 2.0, 3.0], "number": 1}
    assert question.track_value_time() == 0.001
    assert question.track_peak_memory() == 1000
    assert question.track_gradient_bias() == 0.3
    assert question.track_gradient_std() == 0.7
    assert question.track_flops() == 5
    assert math.isnan(question.track_predicted_memory())


def test_the_newest_of_several_rows_is_read(store):
    with Store(store) as rows:
        old = next(row for row in rows.rows() if row["estimator"] == "ssm")
        for index, (started, flops) in enumerate(
            [("2026-02-01T00:00", 6), ("2026-02-02T00:00", 7), ("2026-01-01T00:00", 8)]
        ):
            rows.put({**old, "key": f"later{index}", "started_at": started, "flops_step": flops, "run": None})
    assert _question(store, "ssm").track_flops() == 7
    with Store(store) as rows:
        rows.put({**old, "key": "again", "started_at": "2026-02-02T00:00", "flops_step": 9})
    assert _question(store, "ssm").track_flops() == 9


def test_what_is_followed_has_a_page():
    from reports.frames.history_measures import OF_ASV

    assert {name for name in dir(sweep._Question) if name.startswith("track_")} == set(OF_ASV)


def test_an_unresolved_bias_is_zero(store):
    assert _question(store, "ssm").track_gradient_bias() == 0


@pytest.mark.parametrize("estimator", ["ssm_vr", "taylor_ssm", "sm_exact"])
def test_what_cannot_be_measured_is_not_applicable(store, estimator):
    with pytest.raises(NotImplementedError):  # unsupported; not in the commit; measured on another problem only
        _question(store, estimator)


def test_a_failure_is_failed_and_never_a_text(store):
    question = _question(store, "dsm")
    for name in dir(question):
        if name.startswith("track_"):
            assert getattr(question, name)() is None


def test_the_points_are_those_the_commit_has(monkeypatch):
    monkeypatch.setattr(axes, "PRESET", "smoke")
    names = {point.estimator for point in measurement.points()}
    assert {"ssm", "taylor_ssm", "hutchinson", "taylor"} <= names
    monkeypatch.setattr(estimators, "names", lambda: ("ssm", "hutchinson"))
    assert {point.estimator for point in measurement.points()} == {"ssm", "hutchinson"}
    monkeypatch.setenv("BENCH_ESTIMATORS", "hutchinson, unheard_of")
    assert {point.estimator for point in measurement.points()} == {"hutchinson"}


def test_the_default_preset_stays_minutes(monkeypatch):
    monkeypatch.setattr(axes, "PRESET", "default")
    monkeypatch.setattr(axes, "parameters", functools.partial(axes.parameters, preset="default"))
    points = measurement.points()
    assert 80 <= len(points) <= 130
    others = [point.problem for point in points if point.problem.model != axes.MODEL]
    assert len({(spec.model, spec.dim, spec.depth) for spec in others}) == len({spec.model for spec in others}) >= 3


def test_each_commit_has_a_store_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("ASV_CONF_DIR", str(tmp_path))
    paths = set()
    for commit, environment in (("a" * 40, "one"), ("b" * 40, "one"), ("b" * 40, "two")):
        monkeypatch.setenv("ASV_COMMIT", commit)
        monkeypatch.setenv("ASV_ENV_NAME", environment)
        paths.add(measurement.store_path())
    assert len(paths) == 3
    assert all(path.is_relative_to(tmp_path / ".asv" / "stores") for path in paths)


def test_an_existing_environment_is_filed_under_its_commit(monkeypatch):
    monkeypatch.delenv("ASV_COMMIT", raising=False)  # asv does not set it there
    monkeypatch.setattr(measurement.machine, "commit", lambda: "c" * 40)
    assert measurement.store_path().name.startswith("c" * 12 + "-")
    monkeypatch.setattr(measurement.machine, "commit", lambda: "c" * 40 + "+")  # files edited since
    assert not measurement.store_path().name.startswith("c")


def test_the_configuration_pins_what_moves_numbers():
    configuration = json.loads((ROOT / "asv.conf.json").read_text())
    pinned = dict(line.split("==") for line in _requirements() if "==" in line)
    required = configuration["matrix"]["req"]
    assert required.pop("pip+asv_runner") == [pinned["asv_runner"]]  # without pip+, asv upgrades it
    assert {name: [pinned[name]] for name in required} == required
    assert configuration["benchmark_dir"] == "bench/suites"
    assert configuration["launch_method"] == "forkserver"
    assert configuration["matrix"]["env_nobuild"]["OMP_NUM_THREADS"] == ["1"]


def _requirements():
    lines = (ROOT / "requirements-dev.txt").read_text().splitlines()
    return [line.split("#")[0].strip() for line in lines]


def test_asv_finds_the_benchmarks():
    folder = str(ROOT / "bench" / "suites")
    done = _python(  # as asv does it, which exposes this folder alone
        "from asv_runner._aux import update_sys_path; from asv_runner.discovery import disc_benchmarks\n"
        f"update_sys_path({folder!r})\n"
        f"print(*sorted(benchmark.name for benchmark in disc_benchmarks({folder!r})))"
    )
    names = done.stdout.split()
    metrics = {name for name in dir(sweep._Question) if name.startswith("track_")}
    expected = {f"sweep.{question.__name__}.{metric}" for question in QUESTIONS for metric in metrics}
    assert expected <= set(names), done.stderr
    assert len([name for name in names if name.startswith("sweep.")]) == len(expected)  # none registered twice
