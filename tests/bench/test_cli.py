"""The command line: every mistake is one line and exit code 2, and what is written can be read back."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.columns import NAMES
from bench.store import Store

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "bench.sqlite"
    with Store(path) as opened:
        opened.put(
            {
                "key": "a",
                "estimator": "ssm",
                "options": {"probes": 1},
                "dim": 16,
                "outcome": "ok",
                "time_step_s": 0.5,
                "time_samples": [0.5, float("inf")],
                "bias_resolved": False,
                "output": "two\nlines, and a comma",
            }
        )
        opened.put({"key": "b", "estimator": "=cmd()", "outcome": "timeout", "reason": "60 s"})
        opened.put({"key": "c", "estimator": "ssm"}, finished=False)
    return path


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["lst"], "no verb 'lst'; did you mean list?"),
        (["zzz"], "no verb 'zzz'; verbs: list, plan, run"),
        (["list", "--quantity", "laplace"], "no quantity called 'laplace'; did you mean 'laplacian'?"),
        (["list", "--plugin", "nowhere.py"], "no plugin file at nowhere.py"),
        (["plan"], "Missing argument 'SWEEP'"),
        (["plan", "quik"], "no sweep called 'quik'; did you mean 'quick'?"),
        (["plan", "nowhere.toml"], "no sweep file at nowhere.toml"),
        (["plan", "smoke", "--pionts"], "No such option '--pionts'"),
        (["export", "--store", "nowhere.sqlite"], "there is no such file"),
        (["export", "--format", "xml"], "'xml' is not one of 'csv', 'parquet', 'json'"),
        (["run", "quik"], "no sweep called 'quik'"),
        (["run", "train_quick"], "`python -m bench train train_quick` makes them"),
        (["train", "quick"], "no table [train]: `python -m bench run quick` measures it"),
        (["train", "train_quik"], "no sweep called 'train_quik'; did you mean 'train_quick'"),
        (["run", "smoke", "--jobs", "0"], "0 is not in the range"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments, says, capfd):
    assert main(arguments) == 2
    out, error = capfd.readouterr()
    assert out == "" and error.count("\n") == 1
    assert error.startswith("error: ") and says in error


def test_a_store_that_is_not_ours_is_one_line(tmp_path, capfd):
    path = tmp_path / "notes.txt"
    path.write_text("nothing of the kind")
    for arguments in (["export", "--store", str(path)], ["run", "smoke", "--store", str(path)]):
        assert main(arguments) == 2
        out, error = capfd.readouterr()
        assert out == "" and error == f"error: store {path}: not an SQLite file; give another path\n"
    assert path.read_text() == "nothing of the kind"


@pytest.mark.parametrize("verb", [["list"], ["plan", "smoke"], ["run", "smoke"]])
def test_a_broken_plugin_is_its_traceback_and_then_one_line(verb, tmp_path, capfd):
    path = tmp_path / "broken.py"
    path.write_text("import estimators\n\n1 / 0\n")
    assert main([*verb, "--plugin", str(path)]) == 2
    lines = capfd.readouterr().err.splitlines()
    assert lines[0].startswith("Traceback") and f'File "{path}", line 3' in "\n".join(lines)
    assert lines[-1] == f"error: plugin {path}:3 does not import: ZeroDivisionError: division by zero"


def test_csv_has_the_columns_in_order_and_options_as_json(store, capfd):
    assert main(["export", "--store", str(store), "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capfd.readouterr().out)))
    assert tuple(rows[0])[: len(NAMES)] == NAMES
    assert [row["key"] for row in rows] == ["a", "b"]  # finished ones: each has its outcome
    assert json.loads(rows[0]["options"]) == {"probes": 1} and json.loads(rows[0]["time_samples"]) == [0.5, None]
    assert rows[0]["output"] == "two\nlines, and a comma" and rows[0]["bias_resolved"] == "False"
    assert rows[1]["time_step_s"] == ""


def test_json_is_valid_json(store, tmp_path, capfd):
    out = tmp_path / "rows.json"
    assert main(["export", "--store", str(store), "--format", "json", "--out", str(out), "--unfinished"]) == 0
    rows = json.loads(out.read_text(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert [row["key"] for row in rows] == ["a", "b", "c"]
    assert rows[0]["options"] == {"probes": 1} and rows[0]["bias_resolved"] is False
    assert not list(tmp_path.glob("*.partial"))


def test_parquet_keeps_types(store, tmp_path):
    pandas = pytest.importorskip("pandas")
    out = tmp_path / "rows.parquet"
    assert main(["export", "--store", str(store), "--format", "parquet", "--out", str(out)]) == 0
    frame = pandas.read_parquet(out)
    assert tuple(frame.columns[: len(NAMES)]) == NAMES
    assert frame["time_step_s"][0] == 0.5 and frame["dim"][0] == 16 and frame["options"][0] == '{"probes": 1}'
    assert frame["time_samples"][0] == "[0.5, null]" and frame["bias_resolved"].tolist() == [False, None]


@pytest.mark.parametrize("format_", ["csv", "json", "parquet"])
def test_an_empty_store_exports_its_columns(format_, tmp_path):
    pandas = pytest.importorskip("pandas")
    Store(tmp_path / "bench.sqlite").close()
    out = tmp_path / "rows"
    assert main(["export", "--store", str(tmp_path / "bench.sqlite"), "--format", format_, "--out", str(out)]) == 0
    read = {"csv": pandas.read_csv, "json": pandas.read_json, "parquet": pandas.read_parquet}[format_]
    frame = read(out)
    assert len(frame) == 0 and (format_ == "json" or tuple(frame.columns[: len(NAMES)]) == NAMES)


def test_a_path_that_cannot_be_written_is_one_line(store, tmp_path, capfd):
    assert main(["export", "--store", str(store), "--out", str(tmp_path / "none" / "rows.csv")]) == 2
    assert "No such file or directory" in capfd.readouterr().err


def test_list_as_json_has_every_fact(capfd):
    assert main(["list", "--json"]) == 0
    listed = json.loads(capfd.readouterr().out)
    (ssm,) = (e for e in listed["estimators"] if e["name"] == "ssm")
    assert (ssm["quantity"], ssm["target"], ssm["bias"], ssm["needs"], ssm["orders"]) == (
        "score_matching",
        "sm",
        "none",
        "score",
        [2],
    )
    assert {"mlp", "ridge"} <= {model["name"] for model in listed["models"]}
    assert {"smoke", "quick"} <= {sweep["name"] for sweep in listed["sweeps"]}
    assert {"train_quick", "train_digits"} <= {sweep["name"] for sweep in listed["training_sweeps"]}


def test_costs_are_listed_and_in_the_json(capfd):
    assert main(["list", "--json", "--quantity", "laplacian"]) == 0
    (forward,) = (e for e in json.loads(capfd.readouterr().out)["estimators"] if e["name"] == "forward_laplacian")
    assert forward["cost"] == {
        "passes": "min(D, W) + 2",
        "step_passes": "3 (min(D, W) + 2)",
        "memory": "(min(D, W) + 2) W",
        "step_memory": "(min(D, W) + 2) L W",
    }
    assert main(["list", "--costs", "--quantity", "laplacian"]) == 0
    shown = capfd.readouterr().out
    assert "value: min(D, W) + 2 passes, O((min(D, W) + 2) W) numbers a row" in shown
    assert "D is the input dimension" in shown and "fd_ssm" not in shown


def test_a_plugins_estimator_is_listed_and_planned(tmp_path, capfd):
    from estimators import registry

    path = tmp_path / "mine.py"
    path.write_text(
        "import estimators\n\n@estimators.register('mine', quantity='score_matching', source='[bold]Me[/bold]')\n"
        "def mine(model, x, *, probes=3):\n    return x.sum(-1)\n"
    )
    try:
        assert main(["list", "--plugin", str(path)]) == 0
        assert "mine" in capfd.readouterr().out
        assert main(["plan", "smoke", "--plugin", str(path), "--json", "--no-predict"]) == 0
        planned = json.loads(capfd.readouterr().out)
        assert [p["options"] for p in planned["points"] if p["estimator"] == "mine"] == [{"probes": 3}]
    finally:
        registry._estimators.pop("mine", None)


def test_plan_prints_counts_skips_and_reasons(tmp_path, capfd):
    path = tmp_path / "sweep.toml"
    path.write_text(
        'title = "Two"\nquantity = "laplacian"\nestimators = ["hutchinson", "hvp_loop"]\n'
        'grid = { dim = [4, 8], width = 8, data = "gaussian" }\n'
        '[[skip]]\nwhen = { estimator = "hvp_loop", dim = 8 }\nreason = "D passes"\n'
    )
    assert main(["plan", str(path), "--no-predict"]) == 0
    out = capfd.readouterr().out
    assert "3 points on 2 problems, 1 skipped" in out and "D passes" in out and "Two" in out
    assert max(map(len, out.splitlines())) <= 80


def test_doctor_finds_what_spoils_numbers(monkeypatch, capfd):
    monkeypatch.setattr("bench.machine.governor", lambda: "powersave")
    monkeypatch.setattr("os.getloadavg", lambda: (99.0, 0.0, 0.0))
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    advice = {f["subject"]: f["advice"] for findings in found.values() for f in findings}
    assert "clocks change" in advice["clock governor"] and "timings will be noisy" in advice["load"]
    assert main(["doctor"]) == 0
    out = capfd.readouterr().out
    assert "things to mind" in out and max(map(len, out.splitlines())) <= 80


def bench(*arguments: str, **keywords) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "bench", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        **keywords,
    )


@pytest.mark.parametrize("arguments", [["--help"], ["lst"], ["export", "--help"], ["export", "--store", "no.sqlite"]])
def test_help_and_mistakes_do_not_wait_for_torch(arguments):
    done = bench(*arguments)
    assert done.returncode == (0 if "--help" in arguments else 2)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "bench.__main__" not in imported and not {"torch", "pandas", "sklearn"} & imported


def test_every_verb_has_help():
    done = bench("--help")
    for path in (ROOT / "bench" / "verbs").glob("[a-z]*.py"):
        assert any(line.split()[:1] == [path.stem] and len(line.split()) > 3 for line in done.stdout.splitlines()), path
