"""Plugin files on their way to other machines: bytes with their SHA-256, unpacked in a folder of their own."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from bench.key import plugin_files

Parcel = dict[str, Any]


def pack(path: str) -> Parcel:
    """A plugin file, and the Python files beside it that it imports."""
    main = Path(path).resolve()
    files, top = plugin_files(main)
    packed = {}
    for file in sorted(files):
        content = file.read_bytes()
        name = file.relative_to(top).as_posix()
        packed[name] = {
            "sha256": hashlib.sha256(content).hexdigest(),
            "base64": base64.b64encode(content).decode("ascii"),
        }
    return {"main": main.relative_to(top).as_posix(), "files": packed}


def unpack(parcels: Sequence[Parcel], folder: Path) -> list[str]:
    """Write parcels below a folder, each in one of its own; returns the paths of the plugin files.

    Raises:
        ValueError: a file is not what its hash says, or would lie outside of the folder.
    """
    paths = []
    for number, parcel in enumerate(parcels):
        top = folder / str(number)
        for name, packed in parcel["files"].items():
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise ValueError(f"plugin file {name!r} lies outside of its parcel")
            content = base64.b64decode(packed["base64"])
            arrived = hashlib.sha256(content).hexdigest()
            if arrived != packed["sha256"]:
                raise ValueError(f"plugin file {name} has SHA-256 {arrived} here, and was sent as {packed['sha256']}")
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_bytes(content)
        paths.append(str(top / parcel["main"]))
    return paths
