"""What was computed once and is kept: arrays under the hash of everything that determines them.

The folder is kept below a size: `bench.eviction`. A file that cannot be read back is told of once, and made anew.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np

from bench import eviction

ENVIRONMENT_VARIABLE = "ESTIMATOR_BENCH_CACHE"
CODE = ("data", "problems", "exact", "references")
DAMAGED = "damaged in the cache: "
T = TypeVar("T")


def directory() -> Path:
    """The folder: ``results/cache`` of this checkout, or what ESTIMATOR_BENCH_CACHE says."""
    override = os.environ.get(ENVIRONMENT_VARIABLE)
    return Path(override) if override else Path(__file__).resolve().parents[1] / "results" / "cache"


def digest(content: Mapping[str, Any]) -> str:
    """The hash of plain data, the same for equal data in any order of keys."""
    line = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(line.encode()).hexdigest()[:32]


def digest_of(array: np.ndarray) -> str:
    """The hash of an array's bytes."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:32]


@functools.cache
def code() -> str:
    """The hash of the code that computes what is kept: data, problems, exact derivatives, references.

    An edit there, of a comment even, has everything computed again, which is cheap; a stale reference is not.
    """
    root = Path(__file__).resolve().parent
    files = sorted(file for folder in CODE for file in (root / folder).rglob("*.py"))
    content = b"\0".join(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes() for file in files)
    return hashlib.sha256(content).hexdigest()[:32]


def array_path(kind: str, content: Mapping[str, Any]) -> Path:
    """Where the array determined by ``content``, and by the code, lies, whether it is there or not."""
    return directory() / kind / f"{digest({'content': content, 'code': code()})}.npy"


def bundle_path(kind: str, content: Mapping[str, Any]) -> Path:
    """Where the named arrays determined by ``content``, and by the code, lie, whether they are there or not."""
    return directory() / kind / f"{digest({'content': content, 'code': code()})}.npz"


def read_array(path: Path) -> np.ndarray | None:
    """The array at ``path``, mapped into memory and read-only; None where it is missing or damaged."""
    return _read(path, lambda: np.load(path, mmap_mode="r", allow_pickle=False))


def read_bundle(path: Path) -> dict[str, np.ndarray] | None:
    """The named arrays at ``path``; None where the file is missing or damaged."""

    def load() -> dict[str, np.ndarray]:
        with np.load(path, allow_pickle=False) as bundle:
            return {name: bundle[name] for name in bundle.files}

    return _read(path, load)


def damaged(path: Path) -> None:
    """Say on standard error that a file is not what was written."""
    print(f"{DAMAGED}{path}: computed again", file=sys.stderr, flush=True)


def write_array(path: Path, array: np.ndarray) -> None:
    """Write so that a reader sees the whole file or none."""
    _write(path, lambda file: np.save(file, array, allow_pickle=False))


def write_bundle(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays so that a reader sees the whole file or none."""
    _write(path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]


def array(
    kind: str, content: Mapping[str, Any], shape: tuple[int, ...], compute: Callable[[], np.ndarray]
) -> np.ndarray:
    """The float64 array determined by ``content``: the kept one, or the computed one, which is then kept."""
    path = array_path(kind, content)
    kept = read_array(path)
    if kept is not None and kept.shape == shape and kept.dtype == np.float64:
        return np.array(kept)
    if kept is not None:
        damaged(path)
    value = np.asarray(compute(), dtype=np.float64)
    write_array(path, value)
    return value


def number(kind: str, content: Mapping[str, Any], compute: Callable[[], float]) -> float:
    """The number determined by ``content``, as `array`."""
    return float(array(kind, content, (), lambda: np.array(compute())))


def _read(path: Path, load: Callable[[], T]) -> T | None:
    try:
        found = load()
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, KeyError, BadZipFile):
        damaged(path)
        return None
    eviction.used(path)
    return found


def _write(path: Path, save: Callable[[Any], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-", suffix=path.suffix)
    try:
        with os.fdopen(handle, "wb") as file:
            save(file)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    eviction.clear(directory())
