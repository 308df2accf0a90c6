"""`Sweep`: a title, its studies, and the points they come to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench.sweep.errors import SweepError
from bench.sweep.plugins import load_plugin, load_problem
from bench.sweep.source import Source
from bench.sweep.study import Study, read_studies

if TYPE_CHECKING:
    from bench.point import Point
    from bench.sweep.expand import Expansion


@dataclass
class Sweep:
    """One sweep, read and checked but for the names that plugins may still bring.

    Attributes:
        title: what it is about, for the report.
        studies: one for each ``[[study]]``, or the only one.
        source: the file it was read from.
    """

    title: str
    studies: tuple[Study, ...]
    source: Source
    _files: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    _expansion: Expansion | None = field(default=None, repr=False)

    def points(self, *plugins: str | Path, problems: Iterable[str | Path] = ()) -> list[Point]:
        """The points to measure, those of one problem together, every option filled in.

        Deterministic estimators get ``draws = 1``: more of them would be the same draw again.

        Args:
            plugins: files of estimators; each joins every study of its quantity, beside those the sweep names.
            problems: files of models; each joins every study, beside those the sweep names, unless it names them too.

        Raises:
            SweepError: anything wrong with the sweep or a plugin; one line that says where.
        """
        return list(self._expand(tuple(map(str, plugins)), tuple(map(str, problems))).points)

    @property
    def skips(self) -> list[tuple[Point, str]]:
        """The combinations ruled out, each with the reason: rows too, with the outcome ``skipped``."""
        return list(self._expand(*self._files).skips)

    def _expand(self, plugins: tuple[str, ...], problems: tuple[str, ...]) -> Expansion:
        from bench.sweep.expand import expand

        if self._expansion is None or (plugins, problems) != self._files:
            added = [name for file in plugins for name in load_plugin(file)]
            models = [name for file in problems for name in load_problem(file)]
            self._expansion = expand(self.studies, added, models)
            self._files = (plugins, problems)
            self._refuse_strangers(added)
        return self._expansion

    def _refuse_strangers(self, added: list[str]) -> None:
        """A plugin of which nothing would be measured is a mistake."""
        import estimators

        quantities = {study.quantity for study in self.studies}
        if added and not any(estimators.get(name).quantity in quantities for name in added):
            theirs = ", ".join(f"{name} ({estimators.get(name).quantity})" for name in added)
            raise SweepError(
                f"sweep {self.source.path} measures {', '.join(sorted(quantities))}; the plugin has {theirs}"
            )


def load(name_or_path: str | Path) -> Sweep:
    """Read a shipped sweep by its name, or any by its path.

    Raises:
        SweepError: there is none, or it is wrong; names of estimators, models and data are checked by `Sweep.points`.
    """
    source = Source.find(name_or_path)
    title = source.data.get("title", Path(source.path).stem)
    if not isinstance(title, str):
        raise SweepError(f"{source.path}:{source.line(None, '', 'title')}: title has to be a text; got {title!r}")
    if "train" in source.data:
        raise SweepError(f"{source.path}: a sweep of training runs: `python -m bench train {name_or_path}` makes them")
    return Sweep(title, read_studies(source), source)
