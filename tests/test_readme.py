"""What the README shows does what it says; that it runs at all, and that its commands exist, conftest.py sees to."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import estimators
from estimators import testing

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def _blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.S)


def test_taking_an_estimator():
    namespace = {}
    exec(_blocks("python")[0], namespace)
    assert all(parameter.grad is not None for parameter in list(namespace["net"].parameters())[:-1])


def test_the_estimator_it_adds_conforms(tmp_path):
    path = tmp_path / "my_trace.py"
    path.write_text(_blocks("python")[1])
    estimators.load_file(path)
    report = testing.check("my_trace")
    assert "unbiased" in report.passed


def test_the_sweep_it_shows_is_accepted(tmp_path):
    path = tmp_path / "sweep.toml"
    path.write_text(_blocks("toml")[0])
    command = [sys.executable, "-c", f"from bench.sweep import load; print(len(load({str(path)!r}).points()))"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "30", done.stderr


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)\)", README))
def test_links_lead_somewhere(target):
    assert target.startswith("http") or (ROOT / target).exists()


def test_every_sweep_it_names_ships():
    named = re.search(r"`bench/sweeps/` has (.*?);", README, flags=re.S)
    assert named
    shipped = {path.stem for path in (ROOT / "bench" / "sweeps").glob("*.toml")}
    assert set(re.findall(r"`(\w+)`", named[1])) <= shipped
