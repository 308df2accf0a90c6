"""Commits in their order: git's where it knows them all, else by date."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True)
class Commit:
    """One commit.

    Attributes:
        name: its hash, with ``+`` where files differed from it.
        date: seconds since 1970 when it was made; when it was first measured, where git does not know it.
        subject: the first line of its message; empty where git does not know it.
    """

    name: str
    date: float = math.nan
    subject: str = ""

    @property
    def short(self) -> str:
        """Eight letters of the hash, and the ``+``."""
        dirty = self.name.endswith("+")
        return self.name.rstrip("+")[:8] + "+" * dirty

    @property
    def day(self) -> str:
        """The date, year first; a dash where there is none."""
        try:
            return datetime.fromtimestamp(self.date, UTC).strftime("%Y-%m-%d")
        except (ValueError, OverflowError, OSError):
            return "–"


def in_order(dates: Mapping[str, float], repositories: Iterable[Path] = ()) -> list[Commit]:
    """The commits, oldest first.

    Args:
        dates: hash → seconds since 1970, by which those are placed that git does not know.
        repositories: folders of git repositories that may know them.
    """
    known: dict[str, tuple[int, float, str]] = {}
    for repository in repositories:
        known = {**_log(repository), **known}
    found = []
    for name, date in dates.items():
        place, made, subject = known.get(name.rstrip("+"), (math.inf, date, ""))
        found.append((place, Commit(name, made, subject)))
    all_known = all(place < math.inf for place, _ in found)

    def when(item: tuple[float, Commit]) -> tuple[float, float, str]:
        place, commit = item
        date = commit.date if math.isfinite(commit.date) else math.inf
        return (0.0 if all_known else date, place, commit.name)

    return [commit for _, commit in sorted(found, key=when)]


def _log(repository: Path) -> dict[str, tuple[int, float, str]]:
    """Hash → (place, date, subject) of every commit of a repository; nothing where it is none."""
    command = ["git", "-C", str(repository), "log", "--all", "--topo-order", "--reverse", "--format=%H%x09%ct%x09%s"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    lines = done.stdout.decode("utf-8", "replace").splitlines() if not done.returncode else []
    parts = (line.split("\t", 2) for line in lines)
    return {name: (place, float(date), subject) for place, (name, date, subject) in enumerate(parts)}
