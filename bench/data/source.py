"""A data source, and the registry of them: tables made once and kept, or rows drawn from a generator."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from bench import cache
from estimators.arguments import close_matches

DATA_VERSION = 1
TABLE_ROWS = 1024  # tables are made for multiples of it, so that one serves every smaller batch


@dataclass(frozen=True)
class Source:
    """Where rows come from; exactly one of ``make`` and ``draw``.

    Attributes:
        name: its name in specifications.
        make: (dim, rows) → (N, dim) array, N ≥ rows unless there are no more; made once, and kept in the cache.
        draw: (dim, batch, generator) → (batch, dim) float64 tensor; nothing is kept.
        dims: the dimensions it can serve; None for any.
        rows_available: dim → how many rows there are, or None for as many as asked.
        files: what ``make`` reads, part of what identifies the cached table.
        source_hash: hash of a third party's file and of ``files``; empty for built-in ones.
    """

    name: str
    make: Callable[[int, int], np.ndarray] | None = None
    draw: Callable[[int, int, torch.Generator], Tensor] | None = None
    dims: range | tuple[int, ...] | None = None
    rows_available: Callable[[int], int | None] = lambda dim: None
    files: tuple[str | Path, ...] = ()
    source_hash: str = ""


source_hash = ""  # of the file whose sources are being registered
_sources: dict[str, Source] = {}
DATA: Mapping[str, Source] = MappingProxyType(_sources)


def register(source: Source) -> Source:
    """Make a source available by its name.

    Raises:
        ValueError: the name is taken, or it has both or neither of ``make`` and ``draw``.
    """
    if source.name in _sources:
        raise ValueError(f"a data source called {source.name!r} is registered already")
    if (source.make is None) == (source.draw is None):
        raise ValueError(f"data source {source.name!r} has to have either make or draw")
    contents = [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in source.files]
    _sources[source.name] = replace(source, source_hash="".join([source_hash, *contents])[:256])
    return _sources[source.name]


def forget(names: set[str]) -> None:
    """Take back registrations of a file that failed."""
    for name in names:
        del _sources[name]


def check(name: str, dim: int, batch: int) -> None:
    """Refuse what the source cannot serve.

    Raises:
        ValueError: unknown source, a dimension it does not have, or more rows than there are.
    """
    if name not in _sources:
        raise ValueError(f"no data called {name!r}" + close_matches(name, _sources))
    source = _sources[name]
    if source.dims is not None and dim not in source.dims:
        raise ValueError(f"data {name!r} has dim {_words(source.dims)}; got {dim}")
    rows = source.rows_available(dim)
    if rows is not None and batch > rows:
        raise ValueError(f"data {name!r} has {rows} rows: batch has to be at most {rows}; got {batch}")


def prepare(name: str, dim: int, batch: int) -> None:
    """Make the table if it is not in the cache, or damaged there."""
    check(name, dim, batch)
    source = _sources[name]
    if source.make is None:
        return
    path = _path(source, dim, batch)
    if _read(path, dim, batch) is None:
        cache.write_array(path, np.asarray(source.make(dim, TABLE_ROWS * _blocks(batch)), dtype=np.float64))


def table(name: str, dim: int) -> np.ndarray:
    """The whole prepared table of up to 1024 rows' batches, (N, dim): for what is fitted to all of the data.

    Raises:
        LookupError: the table has not been prepared.
    """
    found = _read(_path(_sources[name], dim, 1), dim, 1)
    if found is None:
        raise LookupError(f"data {name!r} at dim {dim} is not in the cache at {cache.directory()}")
    return found


def rows(name: str, dim: int, batch: int, generator: torch.Generator) -> Tensor:
    """B rows, (batch, dim) float64: drawn, or picked from the prepared table without replacement.

    The first rows of a larger batch are the rows of a smaller one, up to 1024 rows.

    Raises:
        LookupError: the table has not been prepared.
    """
    check(name, dim, batch)
    source = _sources[name]
    if source.draw is not None:
        return source.draw(dim, -(-batch // 128) * 128, generator)[:batch]
    table = _read(_path(source, dim, batch), dim, batch)
    if table is None:
        raise LookupError(
            f"data {name!r} at dim {dim} is not in the cache at {cache.directory()}: call bench.problems.prepare(spec)"
        )
    order = torch.randperm(len(table), generator=generator)[:batch].numpy()
    return torch.from_numpy(np.array(table[order], dtype=np.float64))


def _blocks(batch: int) -> int:
    return -(-batch // TABLE_ROWS)


def _path(source: Source, dim: int, batch: int) -> Path:
    content = {"data": source.name, "dim": dim, "rows": TABLE_ROWS * _blocks(batch)}
    return cache.array_path("data", {**content, "version": DATA_VERSION, "source": source.source_hash})


def _read(path: Path, dim: int, batch: int) -> np.ndarray | None:
    table = cache.read_array(path)
    usable = table is not None and table.ndim == 2 and table.shape[1] == dim and len(table) >= batch
    return table if usable else None


def _words(dims: range | tuple[int, ...]) -> str:
    return f"{dims.start}…{dims.stop - 1}" if isinstance(dims, range) else " or ".join(map(str, dims))
