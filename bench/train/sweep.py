"""A sweep of training runs: the studies of any sweep, and a table ``[train]`` that says how each is trained.

.. code-block:: toml

    [train]
    optimiser = { name = "Adam", lr = 1e-3 }    # a list is an axis
    steps = 400                                 # or: seconds = 20.0
    rows = 768
    held_out = 256
    marks = 20
    score_points = 1000
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from bench.data import source as data_source
from bench.point import Point
from bench.sweep.axes import is_whole
from bench.sweep.errors import SweepError, hint
from bench.sweep.expand import expand
from bench.sweep.plugins import load_plugin, load_problem
from bench.sweep.source import FOLDER, Source
from bench.sweep.study import Study, read_studies
from bench.train import optimiser
from bench.train.training import Training

PREFIX = "train_"
DTYPES = ("float32", "float64")


def _is_seconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


KEYS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "optimiser": (lambda value: isinstance(value, str | dict | list), "a name, or { name = …, lr = … }"),
    "steps": (lambda value: is_whole(value, 1), "a whole number >= 1"),
    "seconds": (_is_seconds, "a number > 0"),
    "rows": (lambda value: is_whole(value, 1), "a whole number >= 1"),
    "held_out": (lambda value: is_whole(value, 2), "a whole number >= 2"),
    "marks": (lambda value: is_whole(value, 1), "a whole number >= 1"),
    "score_points": (lambda value: value == 0 or is_whole(value, 100), "0, or a whole number >= 100"),
}


@dataclass(frozen=True)
class TrainingSweep:
    """A title and the runs of a sweep, and those ruled out with their reasons."""

    title: str
    trainings: tuple[Training, ...]
    skips: tuple[tuple[Point, str], ...]


def shipped() -> tuple[str, ...]:
    """The names of the training sweeps that come with the benchmark."""
    return tuple(sorted(path.stem for path in FOLDER.glob(f"{PREFIX}*.toml")))


def titles() -> dict[str, str]:
    """Shipped training sweep → its title."""
    return {name: _title(Source.find(name)) for name in shipped()}


def load(name_or_path: str | Path, plugins: tuple[str, ...] = (), problems: tuple[str, ...] = ()) -> TrainingSweep:
    """Read a training sweep by its shipped name, or any by its path: seeds outermost, so that a drift hits all alike.

    Raises:
        SweepError: there is none, it has no ``[train]``, or something in it is not allowed; one line that says where.
    """
    source = Source.find(name_or_path, shipped())
    title = _title(source)
    if "train" not in source.data:
        raise SweepError(
            f"{source.path}: no table [train]: `python -m bench run {name_or_path}` measures it; "
            f"sweeps of training runs are {', '.join(shipped())}"
        )
    how = _how(source, source.data["train"])
    rest = {name: value for name, value in source.data.items() if name != "train"}
    studies = read_studies(replace(source, data=rest))
    added = [name for file in plugins for name in load_plugin(file)]
    models = [name for file in problems for name in load_problem(file)]
    expansion = expand(studies, added, models)
    trainings = [
        _training(source, studies[0], point, name, options, how)
        for point in expansion.points
        for name, options in _optimisers(source, how.get("optimiser", {"name": "Adam", "lr": 1e-3}))
    ]
    seeds = list(dict.fromkeys(training.point.problem.seed for training in trainings))
    trainings.sort(key=lambda training: seeds.index(training.point.problem.seed))
    return TrainingSweep(title, tuple(trainings), tuple(expansion.skips))


def _title(source: Source) -> str:
    title = source.data.get("title", Path(source.path).stem)
    if not isinstance(title, str):
        raise SweepError(f"{source.path}:{source.line(None, '', 'title')}: title has to be a text; got {title!r}")
    return title


def _how(source: Source, table: Any) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise SweepError(f"{source.path}:{source.line(None, '', 'train')}: train has to be a table")
    for key, value in table.items():
        if key not in KEYS:
            _refuse(source, key, f"unknown key {key!r} in [train]" + hint(key, KEYS))
        allows, allowed = KEYS[key]
        if not allows(value):
            _refuse(source, key, f"{key} has to be {allowed}; got {value!r}")
    if ("steps" in table) == ("seconds" in table):
        _refuse(source, "", "[train] needs a budget: steps or seconds, and not both")
    if table.get("steps", 10**9) < table.get("marks", Training.marks):
        _refuse(source, "steps", f"steps have to be at least marks, {table.get('marks', Training.marks)}")
    return table


def _optimisers(source: Source, given: Any) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for one in given if isinstance(given, list) else [given]:
        table = {"name": one} if isinstance(one, str) else one
        if not isinstance(table, dict) or not isinstance(table.get("name"), str):
            _refuse(source, "optimiser", f"optimiser has to be {KEYS['optimiser'][1]}; got {one!r}")
        options = {name: value for name, value in table.items() if name != "name"}
        try:
            optimiser.check(table["name"], options)
        except ValueError as error:
            _refuse(source, "optimiser", str(error))
        found.append((table["name"], options))
    return found


def _training(
    source: Source, study: Study, point: Point, name: str, options: dict[str, Any], how: dict[str, Any]
) -> Training:
    own = {key: value for key, value in how.items() if key != "optimiser"}
    training = Training(point, name, MappingProxyType(options), **own)
    spec = point.problem
    if point.quantity not in ("score_matching", "log_likelihood"):
        raise SweepError(f"{source.path}: score_matching and log_likelihood can be trained; got {point.quantity}")
    if point.dtype not in DTYPES:
        raise SweepError(f"{source.path}: dtype of a training run has to be {' or '.join(DTYPES)}; got {point.dtype!r}")
    if spec.batch > training.rows:
        _refuse(source, "rows", f"rows have to be at least the batch, {spec.batch}; got {training.rows}")
    both, data = training.rows + training.held_out, data_source.DATA[spec.data]
    if data.make is not None and both > data_source.TABLE_ROWS:  # larger tables may hold a row twice
        _refuse(source, "rows", f"rows and held_out of {spec.data} have to be at most 1024 in all; got {both}")
    try:
        data_source.check(spec.data, spec.dim, both)
    except ValueError as error:
        _refuse(source, "rows", f"rows and held_out together: {error}")
    return training


def _refuse(source: Source, key: str, message: str) -> NoReturn:
    raise SweepError(f"{source.path}:{source.line(None, 'train', key)}: {message}")
