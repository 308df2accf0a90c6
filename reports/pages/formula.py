"""Formulas as docstrings write them, in HTML: subscripts lowered, superscripts raised, everything else as text."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_LOWERED = re.compile(r"(?<![A-Za-z0-9_])([^\W\d_]|[)\]}‖|])_(\{[^{}]*\}|[A-Za-z0-9α-ω]+)(?![A-Za-z0-9_(])")
_RAISED = re.compile(r"(?<=[\w)\]}‖|])\^(\{[^{}]*\}|\([^()]*\)|[−-]?[^\W_]+)")
_CODE = re.compile(r"``([^`]+)``")


def formula(text: str) -> Markup:
    """The text, escaped, with ``x_m`` and ``ε^2`` set as such. Names such as ``per_sqrt_dim`` stay as they are."""
    marked = str(escape(text))
    marked = _LOWERED.sub(lambda m: f"{m[1]}<sub>{m[2].strip('{}')}</sub>", marked)
    marked = _RAISED.sub(lambda m: f"<sup>{m[1].strip('{}')}</sup>", marked)
    return Markup(marked)


def prose(text: str) -> Markup:
    """A paragraph of a docstring: names between double backquotes set as code, the rest as text."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))
