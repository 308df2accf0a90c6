"""Docstrings as Markdown: an estimator's formula is set as one, and mathematics elsewhere stays what it is."""

from __future__ import annotations

import inspect
import re
from typing import Any

import griffe

from reports.pages.formula import formula

_CODE = re.compile(r"(``.+?``|`.+?`)", re.DOTALL)
_ACTIVE = re.compile(r"([*<\[])")


class Docstrings(griffe.Extension):
    """Escapes what Markdown would take for markup outside code, in every docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the object's docstring; that of a registered estimator has its formula in the second paragraph."""
        if obj.docstring is None:
            return
        paragraphs = inspect.cleandoc(obj.docstring.value).split("\n\n")
        registered = any(d.callable_path.endswith(".register") for d in getattr(obj, "decorators", ()))
        written = [_escaped(paragraph) for paragraph in paragraphs]
        if registered and len(paragraphs) > 1:
            written[1] = f'<div class="formula">{" ".join(formula(paragraphs[1]).split())}</div>'
        obj.docstring.value = "\n\n".join(written)


def _escaped(paragraph: str) -> str:
    parts = _CODE.split(paragraph)
    return "".join(part if i % 2 else _ACTIVE.sub(r"\\\1", part) for i, part in enumerate(parts))
