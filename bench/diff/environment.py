"""What two commits asked for and do not get, since both are measured in one environment by today's yardstick."""

from __future__ import annotations

import re
import subprocess
from importlib.metadata import version
from pathlib import Path

from bench.process.workers import ROOT

_PIN = re.compile(r"^torch\s*[=<>~!][^#\n]*", re.MULTILINE)


def of_commits(old: str, new: str, repository: Path = ROOT) -> list[str]:
    """One line where the commits pin different versions of torch, and one where `estimators` is edited since.

    Args:
        old: a revision.
        new: another.
        repository: where git knows them.
    """
    found = []
    pins = [_pin(revision, repository) for revision in (old, new)]
    if pins[0] != pins[1]:
        wanted = " → ".join(pin or "no pin of torch" for pin in pins)
        found.append(f"{wanted} in requirements-dev.txt; both are measured with torch {version('torch')}")
    edited = _git(repository, "status", "--porcelain", "--", "estimators").splitlines()
    if edited:
        what = f"{edited[0][3:]} has" if len(edited) == 1 else f"{len(edited)} files of estimators/ have"
        found.append(f"{what} uncommitted changes, which belong to no commit and are not measured")
    return found


def _pin(revision: str, repository: Path) -> str:
    pinned = _PIN.search(_git(repository, "show", f"{revision}:requirements-dev.txt"))
    return pinned[0].strip() if pinned else ""


def _git(repository: Path, *arguments: str) -> str:
    """What git answers; nothing where it has none."""
    done = subprocess.run(["git", "-C", str(repository), *arguments], capture_output=True, text=True)
    return "" if done.returncode else done.stdout
