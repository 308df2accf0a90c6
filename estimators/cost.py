"""What an estimator costs, written as mathematics: passes through the model, and numbers held at the peak.

>>> cost = Cost("2 M + 2", memory="min(chunk, M) L W", step_memory="M L W")
>>> cost.passes.at(M=4), cost.step_passes.at(M=4), str(cost.step_passes)
(10.0, 30.0, '3 (2 M + 2)')

An expression multiplies by juxtaposition and knows ``+ − · / ^``, ``min max ceil floor`` and Iverson's bracket:
``[form = one_sided]`` is 1 where the option ``form`` is ``one_sided`` and else 0, ``[recompute]`` where it is true.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from types import CodeType
from typing import Any

SYMBOLS: Mapping[str, str] = {
    "D": "the input dimension",
    "L": "the depth",
    "W": "the width of a layer",
    "T": "the derivative order",
    "M": "the option probes",
    "S": "the option samples",
    "s": "evaluations that one score takes: 2 through a log-density, 1 for a vector field",
}
_OPTION = {"M": "probes", "S": "samples"}  # the symbols that stand for an option
_FUNCTIONS: Mapping[str, Any] = {"min": min, "max": max, "ceil": math.ceil, "floor": math.floor}
_BRACKET = re.compile(r"\[\s*(\w+)\s*(?:=\s*(\w+)\s*)?\]")
_TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?|\[[^\]]*\]|\w+)|([-+·*/^(),−]))")
_OPERATORS = {"·": "*", "−": "-", "^": "**"}


class Expression:
    """An arithmetic expression in sizes and options.

    Attributes:
        text: as it was written.
        names: the symbols and options that it reads.

    Raises:
        ValueError: it is not one; the message quotes it.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.names: frozenset[str] = frozenset()
        self._brackets: dict[str, tuple[str, str | None]] = {}
        self._code = self._compile()

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def at(self, **sizes: Any) -> float:
        """Its value; an option that is None counts as infinite, so that ``min(chunk, D)`` is D.

        Raises:
            KeyError: a size that it reads is not given; the message names it.
        """
        values: dict[str, Any] = dict(_FUNCTIONS)
        for name in self.names:
            values[name] = math.inf if sizes[name] is None else sizes[name]
        for key, (name, word) in self._brackets.items():
            values[key] = int(sizes[name] is True if word is None else str(sizes[name]) == word)
        return float(eval(self._code, {"__builtins__": {}}, values))

    def _compile(self) -> CodeType:
        python, names, operand_before, end = [], set(), False, 0
        text = self.text.strip()
        while end < len(text):
            match = _TOKEN.match(text, end)
            if match is None:
                raise ValueError(f"{self.text!r} is no expression: what is {text[end:].strip()[:10]!r}?")
            operand, operator = match.groups()
            function = operand in _FUNCTIONS
            if operand_before and (operand or operator == "("):
                python.append("*")
            if operand and operand.startswith("["):
                operand = self._bracket(operand)
            elif operand and not function and not operand[0].isdigit():
                names.add(operand)
            python.append(operand or _OPERATORS.get(operator, operator))
            operand_before = bool(operand and not function) or operator == ")"
            end = match.end()
        self.names = frozenset(names)
        try:
            return compile("".join(python), self.text, "eval")
        except SyntaxError:
            raise ValueError(f"{self.text!r} is no expression") from None

    def _bracket(self, text: str) -> str:
        match = _BRACKET.fullmatch(text)
        if match is None:
            raise ValueError(f"{self.text!r} is no expression: {text} has to be [option] or [option = word]")
        key = f"_{len(self._brackets)}"
        self._brackets[key] = (match[1], match[2])
        return key

    @property
    def reads(self) -> frozenset[str]:
        """Every symbol and option that its value depends on."""
        return self.names | {name for name, _ in self._brackets.values()}


class Cost:
    """Passes and memory of an estimator, declared beside its code.

    A pass is one evaluation of the model, counted in the floating-point operations of its matrix products: a reverse
    pass for the input takes as many, one that also collects the θ-gradient twice as many. Operations on complex numbers
    count once, as torch's own counters do, though each is about four real ones. On layers of equal width the count is
    exact, layer by layer: the tests compare it with counted operations to the last one. Memory is the order of the
    numbers held at the peak, a row of the batch: up to a constant factor. Both are for a log-density (``s`` makes the
    passes right for a vector field too), and with every option that an expression does not name at its default.

    Attributes:
        passes: of the value.
        step_passes: of the value and the θ-gradient of its mean.
        memory: the numbers held at the peak of the value.
        step_memory: the numbers held at the peak of value and θ-gradient.
    """

    def __init__(self, passes: str, *, memory: str, step_memory: str, step_passes: str | None = None) -> None:
        """Declare a cost; without ``step_passes`` it is three times ``passes``: one ordinary reverse pass through all.

        Raises:
            ValueError: what is given is no expression; the message quotes it.
        """
        self.passes = Expression(passes)
        self.step_passes = Expression(step_passes or _threefold(passes))
        self.memory = Expression(memory)
        self.step_memory = Expression(step_memory)

    def expressions(self) -> dict[str, Expression]:
        """The four by name."""
        return {name: getattr(self, name) for name in ("passes", "step_passes", "memory", "step_memory")}

    def __repr__(self) -> str:
        return "Cost(" + ", ".join(f"{name}={text!r}" for name, text in self.written().items()) + ")"

    def written(self) -> dict[str, str]:
        """The four as they were written."""
        return {name: str(expression) for name, expression in self.expressions().items()}

    def check(self, options: Mapping[str, Any], orders: Iterable[int]) -> None:
        """That every expression reads only symbols and options there are, and is positive at the defaults.

        Raises:
            ValueError: saying what it reads or comes to, and what is allowed.
        """
        symbols = {s for s in SYMBOLS if _OPTION.get(s, s) in (*options, s if s not in _OPTION else "")}
        for name, expression in self.expressions().items():
            for read in sorted(expression.reads):
                if read not in symbols and read not in options:
                    allowed = ", ".join([*sorted(symbols), *options])
                    raise ValueError(f"{name} {str(expression)!r} reads {read!r}; allowed are {allowed}")
            for order in orders:
                for sizes in ({"D": 2, "L": 2, "W": 8}, {"D": 64, "L": 8, "W": 16}):
                    try:
                        value = float(expression.at(**sizes, T=order, s=2, **with_symbols(options)))
                    except (ArithmeticError, NameError, TypeError, ValueError) as error:
                        problem = f"has no value at D = {sizes['D']}: {str(error)[:80]}"
                        raise ValueError(f"{name} {str(expression)!r} {problem}") from None
                    if not 0 < value < math.inf:
                        raise ValueError(f"{name} {str(expression)!r} comes to {value} at D = {sizes['D']}")


def with_symbols(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options, and the symbols that stand for some of them."""
    return {**options, **{symbol: options[name] for symbol, name in _OPTION.items() if name in options}}


def _threefold(passes: str) -> str:
    """Three times the passes, written as one would."""
    try:
        return f"{3 * float(passes):g}"
    except ValueError:
        bare = not set(passes) & set("-−+") and not passes[:1].isdigit()
        return f"3 {passes}" if bare else f"3 ({passes})"
