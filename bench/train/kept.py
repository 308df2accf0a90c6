"""The model that a run in a store came to: its last state's parameters, in float64."""

from __future__ import annotations

import io
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from bench import problems
from bench.point import Point, ProblemSpec
from bench.problems.problem import Problem
from bench.train.training import Training

OWN = ("optimiser", "optimiser_options", "rows", "held_out", "marks", "score_points")


def training_of(run: Mapping[str, Any]) -> Training:
    """The run that a row tells of; how many draws looked at its noise is not kept, and is the default here."""
    spec = ProblemSpec(**{name: run[name] for name in ProblemSpec.__dataclass_fields__})
    names = ("estimator", "quantity", "order", "dtype", "device", "threads", "target")
    point = Point(problem=spec, options=MappingProxyType(run["options"]), **{name: run[name] for name in names})
    return Training(point, steps=run["budget_steps"], seconds=run["budget_s"], **{name: run[name] for name in OWN})


def kept_problem(training: Training, bundle: bytes) -> Problem:
    """The run's problem with the parameters of a state.

    Args:
        training: the run.
        bundle: the state, an .npz file's bytes as `Store.training_state` gives them.

    Raises:
        ValueError: the problem's model or data is not known here, or the state is another problem's.
    """
    problems.prepare(training.point.problem)
    problem = problems.build(training.point.problem)
    with np.load(io.BytesIO(bundle), allow_pickle=False) as kept:
        arrays = [kept[name] for name in (f"parameter/{n}" for n in range(len(kept.files))) if name in kept.files]
    shapes = [tuple(parameter.shape) for parameter in problem.parameters]
    if [array.shape for array in arrays] != shapes:
        raise ValueError(f"a state with parameters of shapes {[a.shape for a in arrays]} is not one of {shapes}")
    with torch.no_grad():
        for parameter, array in zip(problem.parameters, arrays, strict=True):
            parameter.copy_(torch.from_numpy(array))
    return problem
