"""The conformance battery: whether an estimator, anybody's, does what its facts say.

>>> from estimators import testing
>>> report = testing.check("ssm")          # raises AssertionError, with every property that fails, in words
>>> "unbiased" in report.passed
True
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from estimators import registry
from estimators.estimator import Estimator
from estimators.testing.accuracy import bias_order, unbiased
from estimators.testing.pairing import same_probes_as_pair
from estimators.testing.properties import (
    deterministic,
    leaves_everything_untouched,
    no_grad_agrees,
    refuses_column_values,
    shape_and_dtype,
)
from estimators.testing.subject import NotApplicable, Subject, theta_gradient

PROPERTIES = {
    check.__name__: check
    for check in (
        shape_and_dtype,
        deterministic,
        leaves_everything_untouched,
        no_grad_agrees,
        refuses_column_values,
        unbiased,
        bias_order,
        same_probes_as_pair,
    )
}


@dataclass(frozen=True)
class Report:
    """What held, property → remark, and what did not apply, property → why."""

    name: str
    passed: dict[str, str]
    skipped: dict[str, str]

    def __str__(self) -> str:
        lines = [f"{self.name}:"]
        lines += [f"  holds    {name}" + (f": {remark}" if remark else "") for name, remark in self.passed.items()]
        lines += [f"  skipped  {name}: {why}" for name, why in self.skipped.items()]
        return "\n".join(lines)


def check(estimator: str | Estimator, *, only: tuple[str, ...] = (), **options: Any) -> Report:
    """Run the battery on tiny float32 and float64 models of its own (softplus nets, a quadratic, a vector field).

    Every property is a function in ``PROPERTIES``. Statistical ones use fixed seeds; the chance that a correct
    estimator fails is below 1e-5 over the whole battery, see `estimators.testing.accuracy`.

    Args:
        estimator: a registered name, or an `Estimator`.
        only: the names of the properties to check; all of them by default.
        options: options to call the estimator with, instead of its defaults.

    Returns:
        What held, with a remark each (such as how large a bias would have been seen), and what did not apply.

    Raises:
        AssertionError: one line for each property that fails, saying how.
        KeyError: no such estimator.
        ValueError: no such property.
    """
    if isinstance(estimator, str):
        estimator = registry.get(estimator)
    for name in only:
        if name not in PROPERTIES:
            raise ValueError(f"no property called {name!r}; allowed: {', '.join(PROPERTIES)}")
    subject = Subject(estimator, options)
    passed: dict[str, str] = {}
    skipped: dict[str, str] = {}
    failures = []
    for name, prop in PROPERTIES.items():
        if only and name not in only:
            continue
        try:
            passed[name] = prop(subject) or ""
        except NotApplicable as reason:
            skipped[name] = str(reason)
        except AssertionError as failure:
            failures.append(f"{name}: {failure}")
        except Exception as error:
            failures.append(f"{name}: raised {type(error).__name__}: {error}")
    if failures:
        raise AssertionError(f"{estimator.name} fails {len(failures)} of its checks\n  " + "\n  ".join(failures))
    return Report(estimator.name, passed, skipped)


__all__ = ["PROPERTIES", "NotApplicable", "Report", "Subject", "check", "theta_gradient"]
