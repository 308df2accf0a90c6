"""What a store of a hundred thousand rows costs: inserts, bytes, resume, export, merge, report.

``python -m bench.figures.store_scale`` measures a handful of cheap points for real, then writes their rows again for
100 000 points of one sweep, each under the key that its point has here and now: rows are of real length and a run finds
them, but their numbers are copies and mean nothing. Seconds are the least of several repetitions, memory is the peak of
a process of its own. Whole commands count from the shell, imports included; the report's exponent is of the
seconds of a processor that it takes above those of the smallest store.

Wanted: deciding what is to be measured below 2 s, export to Parquet below 5 s, a report linear in rows.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any

import click

from bench import runner
from bench.measure import Bench, Limits
from bench.point import Point
from bench.statistics.exponent import exponent
from bench.store import Store
from bench.sweep import load

PARTS = ("insert", "resume", "export", "merge", "report")
RESUME_S, EXPORT_S = 2.0, 5.0  # wanted, of 100 000 rows
SINGLE, BATCH = 200, 100  # rows written one by one, and rows in one transaction
REPORTS = (0.01, 0.03, 0.1, 0.3, 1.0)  # of the rows
SWEEP = """\
title = "{count} points"
quantity = "score_matching"
estimators = ["sm_exact", "ssm", "fd_ssm", "dsm"]
measure = {{ draws = 16 }}

[grid]
model = "mlp"
data = "gaussian"
dim = {dims}
depth = {depths}
width = {widths}
batch = 16
seed = {seeds}
"""
ESTIMATORS, DIMS, DEPTHS, WIDTHS = 4, [4, 8, 16, 32, 64], [1, 2, 4, 8], [16, 24, 32, 48, 64]


@click.command()
@click.option("--rows", "count", type=click.IntRange(1000), default=100_000, show_default=True)
@click.option("--part", "parts", multiple=True, type=click.Choice(PARTS), default=PARTS, help="What to measure. [all]")
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True)
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), help="Keep the stores, and go on from them."
)
def main(count: int, parts: tuple[str, ...], repeats: int, folder: Path | None) -> None:
    """Build a store of COUNT rows and print what it costs."""
    with tempfile.TemporaryDirectory() as temporary:
        where = folder or Path(temporary)
        where.mkdir(parents=True, exist_ok=True)
        sweep = _sweep(where / f"{count}.toml", count)
        started = time.perf_counter()
        points = load(sweep).points()[:count]
        click.echo(f"{len(points)} points, expanded in {time.perf_counter() - started:.2f} s")
        store = _store(where / f"{count}.sqlite", points, where)
        click.echo(f"store: {store.stat().st_size / count:.0f} bytes a row, {store.stat().st_size / 1e6:.0f} MB")
        for part in parts:
            _PARTS[part](store, sweep, points, where, repeats)


def _sweep(path: Path, count: int) -> Path:
    at_a_seed = ESTIMATORS * len(DIMS) * len(DEPTHS) * len(WIDTHS)
    axes = {"dims": DIMS, "depths": DEPTHS, "widths": WIDTHS, "seeds": list(range(-(-count // at_a_seed)))}
    path.write_text(SWEEP.format(count=count, **axes))
    return path


def _measured(where: Path) -> dict[str, dict[str, Any]]:
    """A real row of each estimator."""
    path = where / "measured.toml"
    path.write_text(SWEEP.format(count="real", dims=[16], depths=[2], widths=[16], seeds=[0]))
    with Store(where / "measured.sqlite") as store, Bench(Limits.of_this_machine()) as bench:
        runner.run(runner.plan(load(path).points(), [], store), store, bench)
        rows = {row["estimator"]: row for row in store.rows(finished_only=True)}
    if len(rows) != ESTIMATORS or any(row["outcome"] != "ok" for row in rows.values()):
        raise SystemExit(f"the points to copy did not end ok: {[row['reason'] for row in rows.values()]}")
    return rows


def _rows(points: Iterable[Point], where: Path) -> Iterator[dict[str, Any]]:
    """A row for each point: all that was measured of its estimator, under the point's own identity and key."""
    measured = _measured(where)
    for point in points:
        real = {name: value for name, value in measured[point.estimator].items() if name not in ("finished", "run")}
        yield {**real, **point.identity(), "key": runner.key_of(point)}


def _store(path: Path, points: list[Point], where: Path) -> Path:
    if path.exists():
        return path
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    with Store(partial) as store:
        rows = _rows(points, where)
        while some := [(row, True) for row in islice(rows, 1000)]:
            store.put_many(some)
    return partial.replace(path)


def insert(store: Path, sweep: Path, points: list[Point], where: Path, repeats: int) -> None:
    """Rows one by one and in batches, every transaction synced to disk, beside a bare sync of the same file system."""
    rows = list(_rows(points[: SINGLE + 20 * BATCH], where))
    with tempfile.TemporaryDirectory(dir=where) as folder, Store(Path(folder) / "insert.sqlite") as into:
        single = [_seconds(partial(into.put, row)) for row in rows[:SINGLE]]
        batches = [rows[start : start + BATCH] for start in range(SINGLE, len(rows), BATCH)]
        many = [_seconds(partial(into.put_many, [(row, True) for row in some])) for some in batches]
        with (Path(folder) / "bare").open("wb") as file:
            bare = [_seconds(partial(_synced, file)) for _ in single]
    click.echo(
        f"insert: {1000 * statistics.median(single):.2f} ms a row synced on its own (a bare sync of 8 KiB: "
        f"{1000 * statistics.median(bare):.2f} ms); {1000 * statistics.median(many) / BATCH:.2f} ms a row, "
        f"{BATCH / statistics.median(many):.0f} rows/s, {BATCH} to a transaction"
    )


def resume(store: Path, sweep: Path, points: list[Point], where: Path, repeats: int) -> None:
    """What `run` decides, in this process, and the whole command with nothing left to do."""
    with Store(store) as opened:
        runner.plan(points[:1], [], opened)  # hashes the sources, once a process
        found = runner.plan(points, [], opened)
        if found.present != len(points) or found.todo:
            raise SystemExit(
                f"only {found.present} of {len(points)} points are in {store}: "
                "if it is of another checkout, give another --folder"
            )
        took_s = min(_seconds(partial(runner.plan, points, [], opened)) for _ in range(repeats))
        before_s = time.process_time()
        runner.plan(points, [], opened)
        cpu_s = time.process_time() - before_s
    whole = _command(["bench", "run", str(sweep), "--store", str(store)], repeats)
    click.echo(
        f"resume: {len(points)} points looked up in {took_s:.2f} s, {cpu_s:.2f} s of a processor "
        f"(wanted: below {RESUME_S:g}); "
        f"the whole `bench run` with nothing to do: {whole}"
    )


def export(store: Path, sweep: Path, points: list[Point], where: Path, repeats: int) -> None:
    """The whole command, and whether all rows are in the file."""
    import pyarrow.parquet

    out = where / "export.parquet"
    took = _command(["bench", "export", "--store", str(store), "--format", "parquet", "--out", str(out)], repeats)
    there = pyarrow.parquet.ParquetFile(out).metadata.num_rows
    if there != len(points):
        raise SystemExit(f"the export holds {there} of {len(points)} rows")
    size = out.stat().st_size / 1e6
    click.echo(f"export: {there} rows to Parquet in {took} (wanted: below {EXPORT_S:g} s), {size:.1f} MB")


def merge(store: Path, sweep: Path, points: list[Point], where: Path, repeats: int) -> None:
    """All rows into an empty store, and once more into the full one."""
    with tempfile.TemporaryDirectory(dir=where) as folder:
        command = ["bench", "merge", str(store), "--into", str(Path(folder) / "merged.sqlite")]
        new = _command(command, 1)
        again = _command(command, 1)
    click.echo(f"merge: {new} into an empty store, {again} again")


def report(store: Path, sweep: Path, points: list[Point], where: Path, repeats: int) -> None:
    """The whole command over a few sizes; the smallest one tells what every report costs."""
    sizes, seconds = [], []
    for share in (ESTIMATORS / len(points), *REPORTS):
        size = round(len(points) * share)
        part = _store(where / f"first_{size}.sqlite", points[:size], where) if size < len(points) else store
        out = where / "html"
        took = _command(["reports", "build", "--store", str(part), "--out", str(out)], repeats if share < 1 else 1)
        page_mb = (out / "index.html").stat().st_size / 1e6
        click.echo(f"report: {size} rows in {took}; index.html {page_mb:.1f} MB")
        sizes.append(size)
        seconds.append(took.cpu_s)
        shutil.rmtree(out)
    above = [(size, cpu_s - seconds[0]) for size, cpu_s in zip(sizes[1:], seconds[1:], strict=True)]
    large = [(size, cpu_s) for size, cpu_s in above if cpu_s > 0.5]  # below that it is the noise of the smallest
    if len(large) > 2:
        k, low, high = exponent([size for size, _ in large], [cpu_s for _, cpu_s in large])
        click.echo(
            f"report: seconds of a processor above the smallest grow as rows^{k:.2f} ({low:.2f} to {high:.2f}); "
            f"{1000 * large[-1][1] / large[-1][0]:.3f} ms a row"
        )


_PARTS: dict[str, Callable[[Path, Path, list[Point], Path, int], None]] = {
    "insert": insert,
    "resume": resume,
    "export": export,
    "merge": merge,
    "report": report,
}


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _synced(file: IO[bytes]) -> None:
    file.write(b"x" * 8192)
    file.flush()
    os.fsync(file.fileno())


@dataclass(frozen=True)
class Cost:
    """What a command costs."""

    wall_s: float
    cpu_s: float
    peak_bytes: int

    def __str__(self) -> str:
        return f"{self.wall_s:.1f} s ({self.cpu_s:.1f} s of a processor, {self.peak_bytes / 2**20:.0f} MiB)"


def _command(arguments: list[str], repeats: int) -> Cost:
    """What `python -m …` costs: the least seconds of the repeats, and the most memory."""
    costs = []
    for _ in range(repeats):
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        assert process.stderr is not None
        said = process.stderr.read().decode(errors="replace")
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"python -m {' '.join(arguments)} failed: {said[-2000:]}")
        costs.append(Cost(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024))
    return Cost(min(c.wall_s for c in costs), min(c.cpu_s for c in costs), max(c.peak_bytes for c in costs))


if __name__ == "__main__":
    main()
