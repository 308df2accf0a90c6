"""The registry of model families, built in or anybody's."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from bench.data import source as data_source
from bench.point import ProblemSpec
from estimators.arguments import close_matches
from estimators.estimator import QUANTITIES
from estimators.protocols import NEEDS

ENTRY_POINT_GROUP = "estimators.problems"
Build = Callable[[ProblemSpec, Tensor, torch.Generator], nn.Module]


@dataclass(frozen=True)
class Model:
    """One model family.

    Attributes:
        build: (spec, rows, generator) → a module; ``rows``, (N, D) float64, are for scaling it to the data.
        name: its name in specifications.
        quantities: what can be estimated on it.
        needs: the protocols (``estimators.protocols.NEEDS``) it offers.
        reads: which of depth, width, activation and residual it heeds.
        normalised: its log-density has its normalising constant, so that −log p is a likelihood.
        dims: None for any, or the dimensions it can have.
        activations: None for any, or those it can have.
        data: None for any, or the sources it can be on.
        origin: ``"bench"``, or the file or distribution it came from.
        source_hash: hash of a third party's file, part of what identifies cached results; empty for built-in ones.
    """

    build: Build
    name: str
    quantities: tuple[str, ...]
    needs: tuple[str, ...]
    reads: tuple[str, ...]
    normalised: bool
    dims: tuple[int, ...] | range | None
    activations: tuple[str, ...] | None = None
    data: tuple[str, ...] | None = None
    origin: str = "bench"
    source_hash: str = ""


_models: dict[str, Model] = {}
MODELS: Mapping[str, Model] = MappingProxyType(_models)
_files: dict[str, tuple[str, ...]] = {}  # what each loaded file registered
_registering_for: tuple[str, str] = ("bench", "")
_entry_points_loaded = False


def register(
    name: str,
    *,
    quantities: tuple[str, ...] = ("directional", "laplacian", "score_matching"),
    needs: tuple[str, ...] = ("function", "score"),
    reads: tuple[str, ...] = (),
    normalised: bool = False,
    dims: tuple[int, ...] | range | None = None,
    activations: tuple[str, ...] | None = None,
    data: tuple[str, ...] | None = None,
) -> Callable[[Build], Build]:
    """Register a function (spec, rows, generator) → ``nn.Module`` as the model family ``name``.

    The module has ``log_density(x) -> (B,)``, or ``score(x) -> (B, D)``, or both. ``rows`` are (N, D) float64 rows of
    the problem's data; the generator, and the global one inside the call, come from the problem's seed.

    Raises:
        ValueError: a fact is not one of the allowed words, or the name is taken.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"name of a model has to match [a-z][a-z0-9_]*; got {name!r}")
    for fact, words, allowed in (
        ("quantities", quantities, QUANTITIES),
        ("needs", needs, NEEDS),
        ("reads", reads, ("depth", "width", "activation", "residual")),
    ):
        for word in words:
            if word not in allowed:
                raise ValueError(f"{name}: {fact} have to be among {', '.join(allowed)}; got {word!r}")
    if name in _models:
        raise ValueError(f"a model called {name!r} is registered already, by {_models[name].origin}")

    def decorate(build: Build) -> Build:
        origin, source_hash = _registering_for
        _models[name] = Model(
            build,
            name,
            tuple(quantities),
            tuple(needs),
            tuple(reads),
            normalised,
            dims,
            activations,
            data,
            origin,
            source_hash,
        )
        return build

    return decorate


def model(name: str) -> Model:
    """The family called ``name``.

    Raises:
        ValueError: there is none; the message names the close matches.
    """
    if name not in _models:
        raise ValueError(f"no model called {name!r}" + close_matches(name, _models))
    return _models[name]


def quantities(name: str) -> tuple[str, ...]:
    """What can be estimated on the model family ``name``."""
    return model(name).quantities


def needs(name: str) -> tuple[str, ...]:
    """The protocols the model family ``name`` offers; see ``estimators.protocols.NEEDS``."""
    return model(name).needs


def load_file(path: str | Path) -> tuple[str, ...]:
    """Run a file of problems, and return the names of the models it registered, sorted.

    Loading the same file twice in one process returns the same names again.

    Raises:
        FileNotFoundError: there is no such file.
        Exception: whatever the file raises; nothing of it stays registered then.
    """
    path = Path(path).resolve()
    if not path.is_file():
        raise FileNotFoundError(f"no problem file at {path}")
    if str(path) in _files:
        return _files[str(path)]
    module_name = "estimator_problem_" + re.sub(r"\W", "_", str(path))
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    source_hash = hashlib.sha256(path.read_bytes()).hexdigest()[:32]
    try:
        names = _registering(str(path), source_hash, lambda: spec.loader.exec_module(module))  # type: ignore[union-attr]
    except BaseException:
        del sys.modules[module_name]
        raise
    _files[str(path)] = names
    return names


def load_entry_points() -> None:
    """Load installed third parties' problems, once."""
    global _entry_points_loaded
    if _entry_points_loaded:
        return
    _entry_points_loaded = True
    for point in entry_points(group=ENTRY_POINT_GROUP):
        distribution = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        try:
            _registering(distribution, distribution, point.load)
        except Exception as error:  # one broken distribution does not take the others' problems away
            warnings.warn(f"problems of {distribution} do not load: {type(error).__name__}: {error}", stacklevel=2)


def _registering(origin: str, source_hash: str, action: Callable[[], Any]) -> tuple[str, ...]:
    """Run ``action`` with new models and data marked as coming from ``origin``; undo them if it raises."""
    global _registering_for
    models, sources, previous = set(_models), set(data_source.DATA), _registering_for
    _registering_for = (origin, source_hash)
    data_source.source_hash = source_hash
    try:
        action()
    except BaseException:
        for name in set(_models) - models:
            del _models[name]
        data_source.forget(set(data_source.DATA) - sources)
        raise
    finally:
        _registering_for = previous
        data_source.source_hash = previous[1]
    return tuple(sorted(set(_models) - models))
