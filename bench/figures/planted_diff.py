"""What `diff` names: time, memory and bias planted in a copy of the repository, and nothing where nothing changed.

``python -m bench.figures.planted_diff`` clones the checkout's commit to a temporary folder, edits one estimator for
each plant, commits, and lets ``python -m bench diff`` compare the two commits: those estimators and one more, which
nothing is planted in. ``--unchanged 10`` does the same ten times with a pair of commits that differ by a comment alone.
Exit code 1 where a plant is not named, or anything else is.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from bench import problems
from bench.comparison import ROUNDS, side_by_side
from bench.diff.change import NEUTRAL, WORDS
from bench.measure import Bench, Limits
from bench.process.workers import ROOT
from bench.solo import solo
from bench.sweep import load

FOLLOWED = "ssm,hutchinson,taylor_ssm,taylor"  # the last has no plant; two windows of two pairs


@dataclass(frozen=True)
class Plant:
    """A change that is planted.

    Attributes:
        what: in words.
        measure: time, memory or bias.
        estimator: where.
        file: its file.
        find: the text that is replaced.
        replace: by what.
    """

    what: str
    measure: str
    estimator: str
    file: str
    find: str
    replace: str

    def into(self, repository: Path) -> None:
        """Edit the estimator's file.

        Raises:
            click.ClickException: the estimator's text is another one by now.
        """
        path = repository / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.find) != 1:
            raise click.ClickException(f"{self.file} does not hold {self.find.strip()!r} once; adapt the plant")
        path.write_text(text.replace(self.find, self.replace), encoding="utf-8")


def plants(step_s: float, peak_bytes: int, slower: float, heavier: float, biased: float) -> list[Plant]:
    """One plant for each measure: a busy wait, a ballast that lives as long as the result, and a factor."""
    wait = f"    import time\n\n    until = time.perf_counter() + {slower * step_s!r}\n"
    wait += "    while time.perf_counter() < until:\n        pass\n"
    ballast = f"    result.ballast = torch.empty({round(heavier * peak_bytes / 4)}, dtype=torch.float32)\n"
    result = "    result = total / probes\n"
    joined = "v.split(chunk or probes))) / probes\n"
    ssm, hutchinson = "estimators/score_matching/ssm.py", "estimators/laplacian/hutchinson.py"
    taylor_ssm = "estimators/score_matching/taylor_ssm.py"
    return [
        Plant(f"{100 * slower:g} % slower", "time", "ssm", ssm, result, wait + result),
        Plant(f"{100 * heavier:g} % more memory", "memory", "hutchinson", hutchinson, result, result + ballast),
        Plant(
            f"{100 * biased:g} % biased",
            "bias",
            "taylor_ssm",
            taylor_ssm,
            joined,
            joined.replace(" / probes\n", f" / (probes / {1 + biased!r})\n"),
        ),
    ]


@click.command()
@click.option("--unchanged", type=click.IntRange(min=0), default=0, show_default=True, help="Runs over an equal pair.")
@click.option("--planted", type=click.IntRange(min=0), default=1, show_default=True, help="Runs over the planted pair.")
@click.option("--sweep", default="smoke", show_default=True, help="The points; ssm, hutchinson and taylor_ssm in it.")
@click.option("--estimators", "only", default=FOLLOWED, show_default=True, help="Of the sweep, those to compare.")
@click.option("--slower", type=float, default=0.05, show_default=True)
@click.option("--heavier", type=float, default=0.10, show_default=True)
@click.option("--biased", type=float, default=0.01, show_default=True)
@click.option("--rounds", type=click.IntRange(min=8), default=ROUNDS, show_default=True, help="With each launch.")
def main(
    unchanged: int, planted: int, sweep: str, only: str, slower: float, heavier: float, biased: float, rounds: int
) -> None:
    """Plant changes, run ``diff``, and tell what it named."""
    step_s, peak_bytes = _sizes(sweep)
    right = True
    with tempfile.TemporaryDirectory(prefix="planted-diff-") as scratch:
        repository = Path(scratch) / "repository"
        _git(ROOT, "clone", "-q", str(ROOT), str(repository))
        base = _git(repository, "rev-parse", "HEAD")
        wanted = plants(step_s, peak_bytes, slower, heavier, biased)
        for plant in wanted:
            plant.into(repository)
        new = _commit(repository, "planted")
        click.echo(
            f"copy of {base[:12]}; ssm's step takes {1e3 * step_s:.3g} ms, hutchinson's peak is {peak_bytes} bytes"
        )
        for run in range(planted):
            changes, wall_s = _diff(repository, base, new, sweep, only, rounds)
            right &= _tell_planted(f"planted {run + 1}/{planted}", changes, wanted, wall_s)
        _git(repository, "checkout", "-q", base)
        for plant in wanted:
            with (repository / plant.file).open("a", encoding="utf-8") as file:
                file.write("# nothing but a comment\n")
        new = _commit(repository, "unchanged")
        silent = 0
        for run in range(unchanged):
            changes, wall_s = _diff(repository, base, new, sweep, only, rounds)
            named = [_words(change) for change in changes if change["word"] not in NEUTRAL]
            silent += not named
            unclear = sum(change["word"] == "unclear" for change in changes)
            told = "; ".join(named) or "nothing named"
            click.echo(f"unchanged {run + 1}/{unchanged}: {told} ({unclear} of {len(changes)} unclear), {wall_s:.0f} s")
        if unchanged:
            click.echo(f"{silent} of {unchanged} runs over the unchanged pair named nothing")
    raise SystemExit(0 if right and silent == unchanged else 1)


def _sizes(sweep: str) -> tuple[float, int]:
    """The seconds of ssm's step and the bytes of hutchinson's, at the sweep's first point of each."""
    points = {point.estimator: point for point in reversed(load(sweep).points())}
    for name in ("ssm", "hutchinson"):
        problems.prepare(points[name].problem)
    with Bench(Limits.of_this_machine(), predict=False) as bench:
        (timed,) = side_by_side(bench, [points["ssm"]])
        weighed = solo(bench, points["hutchinson"], "not compared here").row
    if timed.median_s is None or not weighed.get("peak_step_bytes"):
        raise click.ClickException(f"there is nothing to plant in: {timed.failure or weighed.get('reason')}")
    return timed.median_s, int(weighed["peak_step_bytes"])


def _diff(
    repository: Path, old: str, new: str, sweep: str, only: str, rounds: int
) -> tuple[list[dict[str, Any]], float]:
    command = [sys.executable, "-m", "bench", "diff", old, new, "--sweep", sweep, "--estimators", only]
    command += ["--measure-all", "--json"]
    started = time.perf_counter()
    done = subprocess.run([*command, "--rounds", str(rounds)], cwd=repository, capture_output=True, text=True)
    if done.returncode:
        raise click.ClickException(f"diff ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)["changes"], time.perf_counter() - started


def _tell_planted(title: str, changes: Sequence[dict[str, Any]], wanted: Sequence[Plant], wall_s: float) -> bool:
    """One line for each plant and each other change that was named; whether it is all of those and nothing else."""
    at = {(plant.estimator, plant.measure): plant for plant in wanted}
    right, seen = True, set()
    click.echo(f"{title}, {wall_s:.0f} s")
    for change in changes:
        plant = at.get((change["estimator"], change["measure"]))
        if plant is not None:
            seen.add((plant.estimator, plant.measure))
            named = change["word"] == WORDS[plant.measure][0]
            right &= named
            click.echo(
                f"  {plant.what:20} in {plant.estimator:12} {'named' if named else 'NOT NAMED'}: {_words(change)}"
            )
        elif change["word"] not in NEUTRAL:
            right = False
            click.echo(f"  not planted: {_words(change)}")
    for plant in (plant for which, plant in at.items() if which not in seen):
        right = False
        click.echo(f"  {plant.what:20} in {plant.estimator:12} NOT NAMED: it was not compared")
    return right


def _words(change: dict[str, Any]) -> str:
    told = f"{change['label']} {change['measure']} {change['word']}"
    if change["ratio"] is None:
        return told
    shift = 0 if change["measure"] == "bias" else 1
    told += f" {100 * (change['ratio'] - shift):+.2f} %"
    if change["low"] is not None:
        told += f" ({100 * (change['low'] - shift):+.2f} to {100 * (change['high'] - shift):+.2f} %)"
    return told


def _commit(repository: Path, subject: str) -> str:
    identity = ["-c", "user.name=planted", "-c", "user.email=planted@example.invalid"]
    _git(repository, *identity, "commit", "-qam", subject)
    return _git(repository, "rev-parse", "HEAD")


def _git(repository: Path, *arguments: str) -> str:
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
