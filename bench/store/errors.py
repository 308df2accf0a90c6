"""What goes wrong with a store, in one line."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class StoreError(ValueError):
    """The store cannot be opened, read or written; the message is one line that says what to do."""


BUSY_SECONDS = 30.0

_LINES = {  # SQLite's primary error codes; the extended ones start with them
    "SQLITE_FULL": "the disk is full; this row was not written, all earlier ones are safe: free space and run again",
    "SQLITE_BUSY": f"another process kept it locked for {BUSY_SECONDS:.0f} s; nothing is lost: run again later",
    "SQLITE_LOCKED": "it is locked by this process; this is a fault of the program",
    "SQLITE_READONLY": "it cannot be written: the file or its folder is read-only",
    "SQLITE_CANTOPEN": "it cannot be opened: is its folder there, and may it be written?",
    "SQLITE_CORRUPT": "it is damaged; open it with `python -m bench merge STORE --into NEW` to save what can be read",
    "SQLITE_NOTADB": "it is not an SQLite file",
    "SQLITE_IOERR": "reading or writing it failed (disk quota, file size limit or a faulty disk?); "
    "this row was not written, all earlier ones are safe",
}


def line_for(path: Path, error: sqlite3.Error) -> str:
    """One line for an SQLite error."""
    name = getattr(error, "sqlite_errorname", "") or ""
    primary = "_".join(name.split("_")[:2])
    return f"store {path}: {_LINES.get(primary, str(error))}"


@contextmanager
def clear_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into a `StoreError` of one line."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(line_for(path, error)) from error
