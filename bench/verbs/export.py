"""Write the rows of a store as CSV, Parquet or JSON."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from bench.store import DEFAULT_PATH, Store
from bench.store.values import TYPES

if TYPE_CHECKING:
    import pyarrow


@click.command("export")
@click.option("--store", default=str(DEFAULT_PATH), show_default=True, help="The store to read.")
@click.option("--format", "format_", type=click.Choice(["csv", "parquet", "json"]), default="csv", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False), help="The file to write; standard output if left out.")
@click.option("--unfinished", is_flag=True, help="Also rows begun but not finished (a run that was stopped).")
def export(store: str, format_: str, out: str | None, unfinished: bool) -> None:
    """Write the rows of a store, one a point, columns in order and units in their names.

    Options and samples are JSON text in CSV and Parquet. After the columns of the contract follow: finished, run,
    extra (further facts, JSON) and output (what the estimator printed).
    """
    if out is None and format_ == "parquet" and sys.stdout.isatty():
        raise click.UsageError("parquet is binary: give --out PATH, or redirect standard output to a file")
    with Store(store, must_exist=True) as opened:
        if opened.recovered:
            click.echo(opened.recovered, err=True)
        try:
            with _target(out) as file:
                {"csv": _csv, "json": _json, "parquet": _parquet}[format_](opened, not unfinished, file)
        except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
            raise click.UsageError(f"cannot write {out}: {error.strerror}") from None


@contextlib.contextmanager
def _target(out: str | None) -> Iterator[IO[bytes]]:
    """Standard output, or a file that appears under its name only when it is complete."""
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    partial = Path(f"{out}.partial")
    with partial.open("wb") as file:
        yield file
    partial.replace(out)


def _csv(store: Store, finished_only: bool, file: IO[bytes]) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text)
    writer.writerow(TYPES)
    for row in store.rows(finished_only):
        writer.writerow([_cell(value) for value in row.values()])
    text.flush()
    text.detach()


def _cell(value: Any) -> Any:
    return json.dumps(_finite(value)) if isinstance(value, (dict, list)) else value


def _json(store: Store, finished_only: bool, file: IO[bytes]) -> None:
    file.write(b"[")
    for n, row in enumerate(store.rows(finished_only)):
        file.write((",\n" if n else "\n").encode() + json.dumps(_finite(row), ensure_ascii=False).encode())
    file.write(b"\n]\n")


def _parquet(store: Store, finished_only: bool, file: IO[bytes]) -> None:
    """Column by column from the store's own values: a hundred thousand rows in seconds."""
    import pyarrow
    import pyarrow.parquet

    schema = _schema()
    with pyarrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for block in store.blocks(finished_only):
            columns = zip(TYPES.values(), zip(*block, strict=True), strict=True)
            arrays = [
                pyarrow.array(_stored(kind, values), type=of.type)
                for of, (kind, values) in zip(schema, columns, strict=True)
            ]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))


def _stored(kind: type, values: tuple[Any, ...]) -> list[Any]:
    """A column as the store keeps it, with truth values as such and JSON that others can read."""
    if kind is bool:
        return [None if value is None else bool(value) for value in values]
    if kind in (dict, list):
        return [_cell(json.loads(v)) if v is not None and ("NaN" in v or "Infinity" in v) else v for v in values]
    return list(values)


def _schema() -> pyarrow.Schema:
    import pyarrow

    kinds = {int: pyarrow.int64(), float: pyarrow.float64(), bool: pyarrow.bool_()}
    return pyarrow.schema([(name, kinds.get(kind, pyarrow.string())) for name, kind in TYPES.items()])


def _finite(value: Any) -> Any:
    """JSON has neither infinity nor not-a-number: both become null."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
