"""Two commits of `estimators`, both installed, measured by this checkout's `bench` in the same rounds."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import bench
import estimators
from bench import key, problems, references
from bench.comparison import ROUNDS, judge
from bench.diff.change import WORDS, Change, DiffError, failed, memory_change, time_change, word_of_failure
from bench.diff.gradient import gradient_change
from bench.measure import Bench, Limits
from bench.point import Point
from bench.process import visibility
from bench.process.workers import ROOT, Ended, ForkServer, Launcher, Spawner, StartError
from bench.solo import solo
from bench.timing import LIVE_WORKERS, Failed

PAIRS_IN_A_WINDOW = LIVE_WORKERS // 2
FEWEST_DRAWS = 64


def commit(revision: str, repository: Path = ROOT) -> str:
    """The full hash of a revision.

    Raises:
        DiffError: git does not know it, or it has no `estimators`.
    """
    git = ["git", "-C", str(repository)]
    found = subprocess.run(
        [*git, "rev-parse", "--verify", "-q", revision + "^{commit}"], capture_output=True, text=True
    )
    if found.returncode:
        raise DiffError(f"{revision!r} is neither a store's file nor a commit of {repository}")
    name = found.stdout.strip()
    if subprocess.run([*git, "cat-file", "-e", f"{name}:estimators/__init__.py"], capture_output=True).returncode:
        raise DiffError(f"commit {name[:12]} has no estimators/__init__.py")
    return name


def install(name: str, folder: Path, repository: Path = ROOT) -> Path:
    """Unpack a commit's `estimators`, all that its wheel would hold, into ``folder``; returns the folder."""
    command = ["git", "-C", str(repository), "archive", "--format=tar", name, "estimators"]
    archive = subprocess.run(command, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as content:
        content.extractall(folder, filter="data")
    return folder


class CommitBench(Bench):
    """A bench whose workers import `estimators` from a folder, and everything else as ever."""

    def __init__(self, folder: Path, limits: Limits | None = None, problem_files: Sequence[str] = ()) -> None:
        super().__init__(limits, problem_files=problem_files, predict=False)
        self.folder = folder.resolve()

    def __enter__(self) -> CommitBench:
        return self

    def _launch(self, device: str) -> Launcher:
        path = os.pathsep.join(filter(None, (str(self.folder), os.environ.get("PYTHONPATH"))))
        if device.startswith("cuda"):
            return Spawner({"PYTHONPATH": path, **visibility.environment(device)})
        return ForkServer({"PYTHONPATH": path})

    def start(self, name: str) -> None:
        """Import the commit's `estimators`, before anything is measured.

        Raises:
            DiffError: they cannot be imported, so nothing of the commit can be compared.
        """
        try:
            self._launcher("cpu")
        except StartError as error:
            why = str(error).strip().splitlines()[-1].strip()
            raise DiffError(f"the estimators of commit {name[:12]} cannot be imported here: {why[:300]}") from None

    def between_launches(self) -> None:
        """The two commits' workers come from two servers, which differ by a per cent: each launch has new ones."""
        self.close()

    def accept(self, origins: dict[str, Any]) -> None:
        """As `Bench.accept`; the estimators that count are the folder's."""
        if Path(origins["estimators"]).parent != self.folder / "estimators":
            raise StartError(f"a worker imported {origins['estimators']}, not the estimators in {self.folder}")
        if origins["bench"] != os.path.realpath(bench.__file__):
            raise StartError(f"a worker imported bench from {origins['bench']}, not from {bench.__file__}")

    def gradients(self, point: Point, folder: Path) -> np.ndarray | str:
        """Block means of the point's gradient draws, (K, P); or why there are none."""
        worker = self.worker(point.device)
        path = folder / "gradients.npy"
        try:
            self.open(worker, point)
            answer = worker.ask({"do": "gradients", "draws": point.draws, "path": str(path)}, self.limits.timeout_s)
            return np.load(path, allow_pickle=False) if answer["outcome"] == "ok" else _why(answer)
        except (Failed, Ended) as failure:
            return f"{failure.outcome}: {failure.reason}"
        finally:
            worker.close()


def same_source(point: Point, old: Path, new: Path) -> bool:
    """Whether everything in `estimators` that the point's estimator imports is the same program in both folders."""
    file = Path(estimators.get(point.estimator).function.__code__.co_filename).resolve()
    package = Path(estimators.__file__).resolve().parent
    if not file.is_relative_to(package):
        return False
    sources = []
    for root in (old / "estimators", new / "estimators"):
        start = root / file.relative_to(package)
        if not start.is_file():
            return False
        closure = key.import_closure(start, root)
        sources.append({f.relative_to(root): key.canonical(f.read_text(encoding="utf-8")) for f in closure})
    return sources[0] == sources[1]


def between_commits(
    old: str,
    new: str,
    points: Sequence[Point],
    *,
    repository: Path = ROOT,
    rounds: int = ROUNDS,
    measure_all: bool = False,
    problem_files: Sequence[str] = (),
    on_stage: Callable[[str, int, int], None] = lambda text, done, total: None,
) -> list[Change]:
    """Measure points at two commits, and name what changed.

    A point whose estimator is the same program at both is the *same* without being measured, unless ``measure_all``.
    Stochastic estimators are given at least 64 draws.

    Raises:
        DiffError: a revision is not one, or has no estimators, or they cannot be imported.
    """
    names = commit(old, repository), commit(new, repository)
    changes: list[Change] = []
    with tempfile.TemporaryDirectory(prefix="estimator-diff-") as scratch:
        folders = [install(name, Path(scratch) / side, repository) for name, side in zip(names, "ab", strict=True)]
        with CommitBench(folders[0], None, problem_files) as a, CommitBench(folders[1], None, problem_files) as b:
            for side, name in zip((a, b), names, strict=True):
                side.start(name)
            todo = []
            for point in points:
                if not measure_all and same_source(point, *folders):
                    note = "same source in both; not measured"
                    changes += [Change(_label(point), point.estimator, m, "same", note=note) for m in WORDS]
                else:
                    stochastic = estimators.get(point.estimator).stochastic
                    todo.append(replace(point, draws=max(FEWEST_DRAWS, point.draws)) if stochastic else point)
            ready = []
            for index, point in enumerate(todo):
                on_stage(f"memory and gradients: {_label(point)}", index, len(todo))
                found, comparable = _solo(point, a, b, Path(scratch))
                changes += found
                if comparable:
                    ready.append(point)
            for start in range(0, len(ready), PAIRS_IN_A_WINDOW):
                window = ready[start : start + PAIRS_IN_A_WINDOW]
                on_stage(f"timing: {', '.join(point.estimator for point in window)}", start, len(ready))
                changes += _time(window, a, b, rounds, comparisons=len(ready))
    return changes


def _solo(point: Point, old: CommitBench, new: CommitBench, scratch: Path) -> tuple[list[Change], bool]:
    """Memory and gradient; and whether there is something to be timed."""
    problems.prepare(point.problem)
    no_reference = new.reference(point.problem, point.quantity, point.order, point.target, point.threads)
    rows = [solo(side, point, "not compared here").row for side in (old, new)]
    for side, row in zip(("old", "new"), rows, strict=True):
        if row["outcome"] != "ok":
            return failed(_label(point), point.estimator, side == "old", f"{side}: {_why(row)}"), False
    gradients = [side.gradients(point, scratch) for side in (old, new)]
    exact = None
    if not no_reference:
        exact = references.load_or_compute(point.problem, point.quantity, point.order, point.target).gradient.numpy()
    memory = memory_change(_label(point), point.estimator, *(row.get("peak_step_bytes") for row in rows))
    a, b = gradients
    if isinstance(a, str) or isinstance(b, str):
        why = next(f"{side}: {g}" for side, g in zip(("old", "new"), gradients, strict=True) if isinstance(g, str))
        word = word_of_failure(old_failed=isinstance(a, str))
        return [memory, Change(_label(point), point.estimator, "bias", word, note=why)], True
    return [memory, gradient_change(_label(point), point.estimator, a, b, exact)], True


def _time(points: Sequence[Point], old: CommitBench, new: CommitBench, rounds: int, comparisons: int) -> list[Change]:
    sides = [(side, point) for point in points for side in (old, new)]
    places = [(2 * k, 2 * k + 1) for k in range(len(points))]
    series, judged = judge(sides, places, "step", rounds, comparisons=comparisons)
    changes = []
    for point, (base, other), (_, words) in zip(points, places, judged, strict=True):
        pair = [series[base], series[other]]
        if words is None:
            why = next(str(one.failure) for one in pair if one.failure is not None)
            word = word_of_failure(old_failed=pair[0].failure is not None)
            changes.append(Change(_label(point), point.estimator, "time", word, note=why))
            continue
        medians = [float(np.median(one.medians)) for one in pair]
        changes.append(time_change(_label(point), point.estimator, words, *medians))
    return changes


def _label(point: Point) -> str:
    """The point in few words: options that have their defaults go without saying."""
    default = estimators.get(point.estimator).options
    changed = "".join(f" {name}={value}" for name, value in point.options.items() if value != default.get(name))
    problem = point.problem
    return f"{point.estimator}{changed} D={problem.dim} depth={problem.depth} order={point.order}"


def _why(answer: dict[str, Any]) -> str:
    return f"{answer['outcome']}: {' '.join(str(answer['reason']).split())[:200]}"
