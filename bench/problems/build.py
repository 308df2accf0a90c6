"""From a specification to a problem: checked, prepared, built; the same one in every dtype and process."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from bench import cache
from bench.data import source as data_source
from bench.exact.activations import ACTIVATIONS
from bench.point import ProblemSpec
from bench.problems import registry, training
from bench.problems.problem import Problem
from estimators.arguments import close_matches

STAGES = ("init", "trained")
SCALING_ROWS = 128
PROBLEM_VERSION = 1

_prepared: set[str] = set()


def check(spec: ProblemSpec) -> None:
    """Refuse a specification that no problem can have.

    Raises:
        ValueError: naming what is wrong, what was given and what is allowed.
    """
    for name in ("dim", "depth", "width", "batch"):
        value = getattr(spec, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} has to be a whole number >= 1; got {value!r}")
    if not isinstance(spec.seed, int) or isinstance(spec.seed, bool) or spec.seed < 0:
        raise ValueError(f"seed has to be a whole number >= 0; got {spec.seed!r}")
    if not isinstance(spec.residual, bool):
        raise ValueError(f"residual has to be true or false; got {spec.residual!r}")
    model = registry.model(spec.model)
    if spec.activation not in ACTIVATIONS:
        raise ValueError(f"no activation called {spec.activation!r}" + close_matches(spec.activation, ACTIVATIONS))
    if model.activations is not None and spec.activation not in model.activations:
        allowed = ", ".join(model.activations)
        raise ValueError(f"model {spec.model!r} needs a smooth activation, one of {allowed}; got {spec.activation!r}")
    if spec.stage not in STAGES:
        raise ValueError(f"stage has to be one of {', '.join(STAGES)}; got {spec.stage!r}")
    if model.dims is not None and spec.dim not in model.dims:
        apart = isinstance(model.dims, range) and model.dims.step > 1
        many = ", ".join(map(str, model.dims[: 1 + apart])) + f"…{model.dims[-1]}"
        allowed = " or ".join(map(str, model.dims)) if len(model.dims) < 12 else many
        raise ValueError(f"model {spec.model!r} has dim {allowed}; got {spec.dim}")
    if model.data is not None and spec.data not in model.data:
        raise ValueError(f"model {spec.model!r} has data {' or '.join(model.data)}; got {spec.data!r}")
    data_source.check(spec.data, spec.dim, spec.batch)


def canonical(spec: ProblemSpec) -> ProblemSpec:
    """The specification with what its model does not read at fixed values: equal problems become equal."""
    unread: dict[str, Any] = {"depth": 1, "width": 1, "activation": "softplus", "residual": False}
    return replace(spec, **{k: v for k, v in unread.items() if k not in registry.model(spec.model).reads})


def content(spec: ProblemSpec) -> dict[str, Any]:
    """What identifies the model built from ``spec`` in the cache: the same for every batch."""
    model = registry.model(spec.model)
    read = canonical(spec)
    values = {k: getattr(read, k) for k in spec.__dataclass_fields__ if k != "batch"}
    if spec.stage == "trained":
        values["training_version"] = training.TRAINING_VERSION
    sources = {"model_source": model.source_hash, "data_source": data_source.DATA[spec.data].source_hash}
    return {**values, **sources, "problem_version": PROBLEM_VERSION, "data_version": data_source.DATA_VERSION}


def prepare(spec: ProblemSpec) -> None:
    """Make what ``spec`` needs and keep it in the cache: the data's table, and trained parameters.

    To be called in the process that coordinates: only here are data libraries imported.

    Raises:
        ValueError: an impossible specification.
    """
    check(spec)
    data_source.prepare(spec.data, spec.dim, spec.batch)
    data_source.prepare(spec.data, spec.dim, _at_most(spec, SCALING_ROWS))
    identity = cache.digest(content(spec)) + str(cache.directory())
    if identity in _prepared:
        return
    model = _initial_model(spec)  # its scale on the data is kept besides
    if spec.stage == "trained" and training.load(content(spec)) is None:
        data_source.prepare(spec.data, spec.dim, _at_most(spec, training.STEPS * training.ROWS))
        training.train(model, _rows(spec, _at_most(spec, training.STEPS * training.ROWS)), content(spec))
    _prepared.add(identity)


def build(spec: ProblemSpec, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu") -> Problem:
    """The problem of ``spec``, from the specification alone.

    Parameters, rows and directions are drawn and scaled in float64 on the CPU and then cast, so that every dtype and
    device has the same problem. The global random state is left as it was.

    Raises:
        ValueError: an impossible specification.
        LookupError: the data's table, or the trained parameters, have not been prepared.
    """
    check(spec)
    model = _initial_model(spec)
    if spec.stage == "trained":
        training.restore(model, content(spec))
    x = _rows(spec, spec.batch)
    v = torch.randn(-(-spec.batch // 128) * 128, spec.dim, dtype=torch.float64, generator=generator(spec, "directions"))
    v = v[: spec.batch]
    v = v / torch.linalg.vector_norm(v, dim=-1, keepdim=True)
    model = model.to(dtype=dtype, device=device)
    place: dict[str, Any] = {"dtype": dtype, "device": device}
    return Problem(spec, model, x.to(**place), v.to(**place), getattr(model, "closed_form", None))


def generator(spec: ProblemSpec, purpose: str) -> torch.Generator:
    """A generator for one purpose, so that changing one thing does not change the others."""
    seed = int.from_bytes(hashlib.sha256(f"{spec.seed} {purpose}".encode()).digest()[:7], "big")
    return torch.Generator().manual_seed(seed)


def _initial_model(spec: ProblemSpec) -> nn.Module:
    rows = _rows(spec, _at_most(spec, SCALING_ROWS))
    family = registry.model(spec.model)
    source = generator(spec, "model")
    with torch.random.fork_rng(devices=[]):  # a family may draw from the global generator, as nn modules do
        torch.default_generator.manual_seed(source.initial_seed())
        return family.build(canonical(spec), rows, source).to(torch.float64)


def _at_most(spec: ProblemSpec, rows: int) -> int:
    """So many rows, or as many as there are."""
    available = data_source.DATA[spec.data].rows_available(spec.dim)
    return rows if available is None else min(rows, available)


def _rows(spec: ProblemSpec, batch: int) -> Tensor:
    return data_source.rows(spec.data, spec.dim, batch, generator(spec, "rows"))
