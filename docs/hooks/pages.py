"""Pages as they stand in the repository, read the way GitHub reads them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

FROM_THE_ROOT = ("CONTRIBUTING.md", "CHANGELOG.md")
_ITEM = re.compile(r"(?:[-*]|\d+\.) +")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the documents that stand beside docs/."""
    root = Path(config.docs_dir).parent
    for name in FROM_THE_ROOT:
        text = (root / name).read_text(encoding="utf-8").replace("](docs/", "](")
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Find the documents beside docs/, and nest lists as deep as Python-Markdown wants them."""
    for name in FROM_THE_ROOT:
        markdown = markdown.replace(f"](../{name}", f"]({name}")
    return "\n".join(_nested(markdown.split("\n")))


def _nested(lines: list[str]) -> list[str]:
    """Indent what belongs to an item of a list by four, where GitHub is content with the width of its mark.

    After an item of several paragraphs the next one stands apart, or it would be read as the end of the last of them.
    """
    written: list[str] = []
    width, fenced, paragraphs = 0, False, False
    for line in lines:
        fenced ^= line.startswith("```")  # code at the margin is nobody's item
        item = None if fenced else _ITEM.match(line)
        if item:
            if paragraphs and written[-1]:
                written.append("")
            width, paragraphs = len(item[0]), False
        elif line and not line.startswith(" " * (width or 1)):
            width = 0
        paragraphs = bool(width) and (paragraphs or not line)
        written.append(" " * (4 - width) + line if line and width and not item else line)
    return written
