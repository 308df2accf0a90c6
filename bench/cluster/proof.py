"""What a machine proves before it measures: the same code, Python and torch as whoever asked."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from pathlib import Path


def proof() -> dict[str, str]:
    """The versions that have to agree; of a package the hash of its Python files, comments included."""
    import torch

    import bench
    import estimators
    from bench.key import METHOD_VERSION

    return {
        "bench": source_hash(bench.__file__),
        "estimators": source_hash(estimators.__file__),
        "method version": METHOD_VERSION,
        "python": ".".join(platform.python_version_tuple()[:2]),
        "torch": torch.__version__,
    }


def source_hash(init_file: str | None) -> str:
    """The hash of all Python files of a package, given its ``__init__``."""
    assert init_file is not None
    root = Path(init_file).resolve().parent
    found = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        found.update(f"{file.relative_to(root).as_posix()}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()[:12]


def difference(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """In words, where two proofs differ; empty where they do not."""
    named = [name for name in ours if ours[name] != theirs.get(name)]
    return ", ".join(f"{name} is {theirs.get(name, 'missing')} there and {ours[name]} here" for name in named)
