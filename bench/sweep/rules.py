"""Constraints that a sweep states itself: which of its combinations are left out, and why.

.. code-block:: toml

    [[skip]]
    when = { estimator = "nested_reverse", order = ">= 5", depth = [16, 32] }
    reason = "nested reverse mode costs 2^T: minutes a call"

All conditions of ``when`` have to hold. A scalar means equality, a list membership, and a string that starts with
``<``, ``<=``, ``>``, ``>=`` or ``!=`` a comparison. Names are those of axes, of options, and ``estimator``.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.sweep.axes import AXES
from bench.sweep.errors import SweepError, hint
from bench.sweep.source import Source

_COMPARISON = re.compile(r"^(<=|>=|<|>|!=)\s*(.+)$")
_OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "!=": operator.ne}


@dataclass(frozen=True)
class Rule:
    """One constraint: the conditions, the reason, and its line."""

    when: Mapping[str, Any]
    reason: str
    line: int

    def holds(self, facts: Mapping[str, Any]) -> bool:
        """Whether a combination, given as name → value, is ruled out. A name it does not have never holds."""
        return all(name in facts and _matches(facts[name], wanted) for name, wanted in self.when.items())


def read_rules(source: Source, place: int | None, table: Mapping[str, Any]) -> tuple[Rule, ...]:
    """The ``[[skip]]`` tables of a sweep or a study.

    Raises:
        SweepError: one of them has no conditions, no reason, or further keys.
    """
    rules = []
    given = table.get("skip", [])
    for n, one in enumerate(given if isinstance(given, list) else [given]):
        line = source.line(place, f"skip#{n}")
        if not isinstance(one, dict) or not isinstance(one.get("when"), dict) or not one["when"]:
            raise SweepError(f"{source.path}:{line}: [[skip]] needs when = {{ name = value, … }}")
        for key in one:
            if key not in ("when", "reason"):
                line = source.line(place, f"skip#{n}", key)
                raise SweepError(
                    f"{source.path}:{line}: unknown key {key!r} in [[skip]]" + hint(key, ("when", "reason"))
                )
        if not isinstance(one.get("reason"), str) or not one["reason"].strip():
            raise SweepError(f"{source.path}:{line}: [[skip]] needs a reason, for those who read the report")
        rules.append(Rule(one["when"], one["reason"], line))
    return tuple(rules)


def check_names(rule: Rule, source: Source, options: set[str]) -> None:
    """Refuse a rule about something that no point of the study has.

    Raises:
        SweepError: a name is neither an axis nor an option of one of the study's estimators.
    """
    known = {"estimator", "quantity", *AXES, *options}
    for name in rule.when:
        if name not in known:
            raise SweepError(f"{source.path}:{rule.line}: [[skip]] names unknown {name!r}" + hint(name, known))


def _matches(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return value in wanted
    comparison = _COMPARISON.match(wanted) if isinstance(wanted, str) else None
    if comparison is None:
        return bool(value == wanted)
    sign, text = comparison.groups()
    try:
        return bool(_OPERATORS[sign](value, float(text)))
    except (TypeError, ValueError):
        return sign == "!=" and value != text
