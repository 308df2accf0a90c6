"""What one commit costs under asv: the sweep, and reading each value back.

``python -m bench.figures.asv_commit`` clones the checkout's commit to a temporary folder, lets asv make its environment
(about a gigabyte, counted apart), then runs the suite's sweep on that one commit and prints the seconds of the commit,
of them the sweep's, and the seconds for each value that asv reads back.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from bench.process.workers import ROOT
from bench.store import Store

PRESETS = ("smoke", "default", "full")


@click.command()
@click.option("--preset", type=click.Choice(PRESETS), default="default", show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), help="Where to clone to, and to keep it; one made before.")
def main(preset: str, folder: Path | None) -> None:
    """Measure one commit under asv."""
    with tempfile.TemporaryDirectory(prefix="asv-commit-") as scratch:
        repository = Path(scratch) / "repository" if folder is None else folder.resolve()
        if not repository.exists():
            subprocess.run(["git", "clone", "-q", str(ROOT), str(repository)], check=True)
        (repository / ".home").mkdir(exist_ok=True)
        environment = {**os.environ, "BENCH_PRESET": preset, "HOME": str(repository / ".home")}
        asv(repository, environment, "machine", "--yes")
        ready_s = asv(repository, environment, "run", "--bench", "track_store_insert", "HEAD^!")
        for store in (repository / ".asv" / "stores").glob("*.sqlite*"):
            store.unlink()  # of an earlier call: a commit's sweep measures what its store lacks
        commit_s = asv(repository, environment, "run", "--bench", r"^sweep\.", "HEAD^!")
        click.echo(f"environment and build: {ready_s:.0f} s")
        click.echo(told(repository, preset, commit_s))


def asv(repository: Path, environment: dict[str, str], *arguments: str) -> float:
    """Run asv; returns its seconds. Exit code 2 says that a point failed, which is a result."""
    command = [sys.executable, "-m", "asv", *arguments]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True)
    if done.returncode not in (0, 2):
        raise click.ClickException(f"asv {arguments[0]} ended with {done.returncode}: {done.stdout[-800:]}")
    return time.perf_counter() - started


def told(repository: Path, preset: str, commit_s: float) -> str:
    """The lines to print, from asv's newest results."""
    files = (repository / ".asv" / "results").glob("*/*-*.json")
    content = json.loads(max(files, key=lambda file: file.stat().st_mtime).read_text(encoding="utf-8"))
    sweep_s = sum(seconds for name, seconds in content["durations"].items() if "setup_cache" in name)
    values, read_s, metrics = 0, 0.0, set()
    for name, row in content["results"].items():
        facts: dict[str, Any] = dict(zip(content["result_columns"], row, strict=False))
        if name.startswith("sweep."):
            values += math.prod(len(axis) for axis in facts["params"])
            read_s += facts["duration"]
            metrics.add(name.rpartition(".")[2])
    (path,) = (repository / ".asv" / "stores").glob("*.sqlite")
    with Store(path, must_exist=True) as store:
        outcomes = store.outcomes()
    ended = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    return (
        f"one commit, preset {preset}: {commit_s:.0f} s ({commit_s / 60:.1f} min), {sweep_s:.0f} s of it the sweep of "
        f"{outcomes.total()} points ({ended})\n"
        f"read-back: {values} values of {len(metrics)} metrics in {read_s:.1f} s, {read_s / values:.3f} s a value"
    )


if __name__ == "__main__":
    main()
