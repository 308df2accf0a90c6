"""Tables for the terminal: readable at 80 columns, and wider where there is room."""

from __future__ import annotations

from collections.abc import Collection

from rich import box
from rich.console import Console
from rich.table import Table


def console() -> Console:
    """Standard output; names from plugins and files are shown as they are, never read as markup."""
    return Console(highlight=False, markup=False)


def table(title: str, *columns: str, right: Collection[str] = (), wrap: Collection[str] = ()) -> Table:
    """An empty table; only the columns in ``wrap`` give way when the terminal is narrow.

    Args:
        title: stands above it; may be empty.
        columns: their heads.
        right: those that hold numbers.
        wrap: those that may take several lines.
    """
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    if title:
        made.title, made.title_justify, made.title_style = title, "left", "bold"
    for column in columns:
        justify = "right" if column in right else "left"
        made.add_column(column, justify=justify, no_wrap=column not in wrap, overflow="fold")  # type: ignore[arg-type]
    return made
