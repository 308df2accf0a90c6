"""A sweep's TOML text, and the line on which something in it stands.

The standard library's parser keeps no line numbers. A parser that does would be one more dependency for one number, so
the line of a key, and of a value after it, is looked up in the text.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.sweep.errors import SweepError, hint

FOLDER = Path(__file__).parents[1] / "sweeps"
_HEADER = re.compile(r"^\s*(\[\[?)\s*([A-Za-z0-9_.\-]+)\s*\]")


def shipped() -> tuple[str, ...]:
    """The names of the sweeps that come with the benchmark; those of training runs, ``train_…``, are another verb's."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml") if not path.stem.startswith("train_")))


@dataclass(frozen=True)
class Source:
    """One TOML file: its path, as it should be shown, its text, and what the parser made of it."""

    path: str
    text: str
    data: dict[str, Any]

    @classmethod
    def find(cls, name_or_path: str | Path, known: Sequence[str] = ()) -> Source:
        """Read a shipped sweep by its name, or any sweep by its path.

        Args:
            name_or_path: which.
            known: the names to hint at where there is none of this name; by default those of `shipped`.

        Raises:
            SweepError: there is none, or it is no TOML.
        """
        named = FOLDER / f"{name_or_path}.toml"
        is_name = re.fullmatch(r"[\w\-]+", str(name_or_path)) is not None
        path = named if is_name and named.is_file() else Path(name_or_path)
        if not path.is_file():
            if is_name:
                raise SweepError(f"no sweep called {str(name_or_path)!r}" + hint(name_or_path, known or shipped()))
            raise SweepError(f"no sweep file at {path}")
        shown = (
            str(path.relative_to(Path.cwd())) if path.is_absolute() and path.is_relative_to(Path.cwd()) else str(path)
        )
        try:
            text = path.read_text(encoding="utf-8")
            return cls(shown, text, tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            line = re.search(r"line (\d+)", str(error))
            where = int(line.group(1)) if line else text.count("\n") + 1
            raise SweepError(f"{shown}:{where}: not valid TOML: {error}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise SweepError(f"sweep file {shown} cannot be read: {error}") from None

    def line(self, study: int | None, section: str, key: str = "", value: object = None) -> int:
        """The line of a key, or of a value after it.

        Args:
            study: which ``[[study]]``, or None for what stands before the first.
            section: the table within it, for example ``"grid"``; empty for the study itself.
            key: the key; empty for the head of the section.
            value: a value to look for from the key on, up to the next key.
        """
        lines = self.text.splitlines()
        numbers = self._section(study, section) or self._section(study, "") or list(range(len(lines)))
        pattern = re.compile(rf"""(?:^|[\s,.{{])["']?{re.escape(key)}["']?\s*=""")
        start = next((n for n in numbers if key and pattern.search(_bare(lines[n]))), None)
        if start is None and key and not section:  # the key may be the head of a table
            start = next(iter(self._section(study, key)), None)
        if start is None:
            return numbers[0] + 1 if numbers else 1
        if value is not None:
            literal = re.compile(rf"""(?<![\w.+\-]){re.escape(_literal(value))}(?![\w.])""")
            for n in (n for n in numbers if n >= start):
                if n > start and re.match(r"^[A-Za-z_]\w*\s*=|^\s*\[\[?\w", lines[n]):
                    break
                text = _bare(lines[n])
                if literal.search(text, pattern.search(text).end() if n == start else 0):  # type: ignore[union-attr]
                    return n + 1
        return start + 1

    def _section(self, study: int | None, section: str) -> list[int]:
        """The lines of a table, its header among them."""
        current, at, found = -1, "", []
        name, _, index = section.partition("#")
        counts: dict[str, int] = {}
        for n, line in enumerate(self.text.splitlines()):
            header = _HEADER.match(line)
            if header:
                title = header.group(2)
                if title == "study":
                    current, at, counts = current + 1, "", {}
                else:
                    at = title.removeprefix("study.")
                    counts[at] = counts.get(at, -1) + 1
            mine = current == (-1 if study is None else study)
            if mine and at == name and (not index or counts.get(at) == int(index)):
                found.append(n)
        return found


def _bare(line: str) -> str:
    """A line without its comment (a # inside quotes ends it too: good enough to find a line)."""
    return line.split("#", 1)[0]


def _literal(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
