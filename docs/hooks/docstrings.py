"""Docstrings as Markdown: an estimator's formula is set as one, and mathematics elsewhere stays what it is."""

from __future__ import annotations

import inspect
import re
from typing import Any

import griffe

from reports.pages.formula import formula

_MEANT = re.compile(r"(``.+?``|`.+?`|(?<!\w)\*[A-Za-z][A-Za-z ]*\*(?!\w))", re.DOTALL)  # code, and emphasis of words
_ACTIVE = re.compile(r"[*<\[]")


class Docstrings(griffe.Extension):
    """Escapes what Markdown would take for markup outside code, in every docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the object's docstring; that of a registered estimator has its formula in the second paragraph."""
        if obj.docstring is None:
            return
        paragraphs = inspect.cleandoc(obj.docstring.value).split("\n\n")
        registered = any(d.callable_path.endswith(".register") for d in getattr(obj, "decorators", ()))
        written = [_written(paragraph) for paragraph in paragraphs]
        if registered and len(paragraphs) > 1:
            html = re.sub(r"``(.+?)``", r"<code>\1</code>", " ".join(formula(paragraphs[1]).split()))
            written[1] = f'<div class="formula">{html}</div>'
        obj.docstring.value = "\n\n".join(written)


def _written(paragraph: str) -> str:
    """A session as one, a table of reStructuredText as it was typed, and the rest as text."""
    if paragraph.startswith(">>>"):
        return f"```pycon\n{paragraph}\n```"
    if paragraph.startswith("==="):
        return f"```text\n{paragraph}\n```"
    return _escaped(paragraph)


def _escaped(paragraph: str) -> str:
    parts = _MEANT.split(paragraph)
    return "".join(part if i % 2 else _ACTIVE.sub(lambda m: f"&#{ord(m[0])};", part) for i, part in enumerate(parts))
