"""pytest-benchmark over the live registry: options, machine info, and one benchmark for each estimator and size.

``pytest tests/perf`` measures; ``--plugin my_estimators.py`` adds a third party's; ``BENCH_DEVICE=cuda`` in the
environment measures on a GPU. With ``--benchmark-disable`` the smallest size runs once, as a smoke test.
"""

import dataclasses
import os

import estimators
from bench import machine, problems
from bench.point import ProblemSpec
from bench.sweep.vocabulary import misfit

DIMS = (16, 64)
ORDERS = {"directional": (2, 4), "laplacian": (2,), "score_matching": (2,), "log_likelihood": (0,)}


@dataclasses.dataclass(frozen=True)
class Case:
    """One estimator at one size."""

    name: str
    dim: int
    order: int

    @property
    def group(self):
        return f"{estimators.get(self.name).quantity} D={self.dim} T={self.order}"

    def spec(self):
        """The first model that offers what the estimator needs; None if none does."""
        estimator = estimators.get(self.name)
        for model in ("mlp", *problems.MODELS):
            if problems.MODELS[model].dims is None:
                spec = ProblemSpec(model=model, dim=self.dim, depth=2, width=64, batch=32)
                if not misfit(spec, estimator.quantity, estimator.needs):
                    return spec
        return None


def _device():
    return os.environ.get("BENCH_DEVICE", "cpu")


def pytest_addoption(parser):
    parser.addoption(
        "--plugin", action="append", default=[], metavar="FILE", help="a file of estimators to measure too"
    )


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        for path in metafunc.config.getoption("--plugin", default=[]):
            estimators.load_file(path)
        dims = DIMS[:1] if metafunc.config.getoption("benchmark_disable", default=False) else DIMS
        cases = [
            Case(name, dim, order)
            for name in estimators.names()
            for dim in dims
            for order in ORDERS[estimators.get(name).quantity]
            if estimators.get(name).supports(order)
        ]
        # written out, since saved results are compared by them
        metafunc.parametrize("case", cases, ids=[f"{c.name}-D{c.dim}-T{c.order}" for c in cases])


def pytest_benchmark_update_machine_info(config, machine_info):
    machine_info["estimator_bench"] = {**machine.fingerprint(), "commit": machine.commit(), "device": _device()}
