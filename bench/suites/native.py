"""A few steps timed by asv itself, in one process, as a cross-check of the sweep's times: same problem, other clock."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any


@cache  # asv repeats `setup` before every timed call
def _step(name: str) -> Callable[[], Any]:
    import torch

    import estimators
    from bench import problems
    from bench.meters.heap import keep_freed_memory
    from bench.meters.subject import Subject, generator
    from bench.point import ProblemSpec

    if name not in estimators.names():
        raise NotImplementedError(f"this commit has no {name}")
    torch.set_num_threads(1)
    keep_freed_memory()
    spec = ProblemSpec(dim=64, depth=2, width=128, batch=64)  # a point of the default preset
    problems.prepare(spec)
    estimator = estimators.get(name)
    subject = Subject(estimator, problems.build(spec, torch.float32), 2, estimator.options)
    random = generator(0)
    return lambda: subject.step(random)


class Native:
    """The step, value and gradient."""

    version = "3"
    timeout = 120
    params = (("ssm", "taylor_ssm", "fd_ssm"),)
    param_names = ("estimator",)

    def setup(self, estimator: str) -> None:
        """Build the problem, once a process."""
        self.step = _step(estimator)

    def time_step(self, estimator: str) -> None:
        """Seconds, by asv."""
        self.step()
