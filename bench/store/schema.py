"""The store's tables, how a file is known to be ours, and how an older one is brought forward."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.columns import OUTCOMES
from bench.store.errors import StoreError
from bench.store.values import SQL_TYPES, TYPES
from bench.train.columns import POINT_TYPES, RUN_TYPES

APPLICATION_ID = 0x45424E43  # "EBNC", kept in the file's header
SCHEMA_VERSION = 2


_CONSTRAINTS = {
    "key": "NOT NULL UNIQUE",
    "finished": "NOT NULL",
    "outcome": "CHECK (outcome IN (" + ", ".join(f"'{outcome}'" for outcome in OUTCOMES) + "))",
}


def _columns(types: Mapping[str, type] = TYPES, constraints: Mapping[str, str] = _CONSTRAINTS) -> str:
    return ",\n".join(f'"{name}" {SQL_TYPES[kind]} {constraints.get(name, "")}' for name, kind in types.items())


# AUTOINCREMENT: sqlite_sequence remembers the largest id, which bounds the search for rows in a damaged file.
# `extra` and `output` come last, so that they alone spill to overflow pages, and a row can be read without them.
TABLES = (
    f"CREATE TABLE rows (id INTEGER PRIMARY KEY AUTOINCREMENT,\n{_columns()})",
    "CREATE INDEX rows_finished ON rows (finished, key)",
    "CREATE TABLE runs (id INTEGER PRIMARY KEY, title TEXT NOT NULL, command TEXT NOT NULL, started TEXT NOT NULL, "
    "machine TEXT, commit_id TEXT, seeds TEXT)",
    "CREATE TABLE replaced (id INTEGER PRIMARY KEY, key TEXT NOT NULL, replaced_at TEXT NOT NULL, row TEXT NOT NULL)",
)
# Of a training run: one row; one for each evaluation; and its last state, arrays without pickles, kept with them.
TRAINING_TABLES = (
    f"CREATE TABLE training_runs (id INTEGER PRIMARY KEY AUTOINCREMENT,\n{_columns(RUN_TYPES)})",
    "CREATE TABLE training_points (id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    + _columns(POINT_TYPES, {"key": "NOT NULL", "place": "NOT NULL"})
    + ",\nUNIQUE (key, place))",
    "CREATE TABLE training_states (key TEXT PRIMARY KEY, place INTEGER NOT NULL, bundle BLOB NOT NULL)",
)
TABLE_TYPES: Mapping[str, Mapping[str, type]] = {
    "rows": TYPES,
    "training_runs": RUN_TYPES,
    "training_points": POINT_TYPES,
}


def _add_training(connection: sqlite3.Connection) -> None:
    for statement in TRAINING_TABLES:
        connection.execute(statement)


# From version → what brings a store of that version to the next, inside one transaction.
MIGRATIONS: Mapping[int, Callable[[sqlite3.Connection], None]] = {1: _add_training}


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Create the tables in a new file; refuse a file that is not ours; bring an older one forward.

    Raises:
        StoreError: not ours, or of a version that cannot be read.
    """
    if version_of(connection, path) == SCHEMA_VERSION and not _missing_columns(connection):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = version_of(connection, path)  # again, under the lock: another process may have been first
        if version == 0:
            for statement in (*TABLES, *TRAINING_TABLES):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        for step in range(version or SCHEMA_VERSION, SCHEMA_VERSION):
            MIGRATIONS[step](connection)
        for table, name in _missing_columns(connection):  # a new column needs no version: older rows have it empty
            connection.execute(f'ALTER TABLE {table} ADD COLUMN "{name}" {SQL_TYPES[TABLE_TYPES[table][name]]}')
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
        if 0 < version < SCHEMA_VERSION:  # new tables may move the schema to the file's end, where a cut would take it
            connection.execute("VACUUM")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _missing_columns(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    missing = []
    for table, types in TABLE_TYPES.items():
        there = {column[1] for column in connection.execute(f"PRAGMA table_info({table})")}
        missing += [(table, name) for name in types if name not in there]
    return missing


def header_is_ours(path: Path) -> bool:
    """Whether the file's own header names us, for files too damaged to ask SQLite."""
    with path.open("rb") as file:
        return file.read(72)[68:72] == APPLICATION_ID.to_bytes(4, "big")  # its place in SQLite's file format


def version_of(connection: sqlite3.Connection, path: Path) -> int:
    """The version of the store: 0 for a file without tables.

    Raises:
        StoreError: not ours, or of a version that cannot be read.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == 0 and version == 0 and tables == 0:
        return 0
    if application != APPLICATION_ID:
        raise StoreError(f"store {path}: an SQLite file, but not a store of this benchmark; give another path")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"store {path}: written by a newer checkout (schema version {version}, this one reads "
            f"{SCHEMA_VERSION}); update the checkout, or give another path"
        )
    if any(step not in MIGRATIONS for step in range(version, SCHEMA_VERSION)):
        raise StoreError(
            f"store {path}: of schema version {version}, this checkout reads {SCHEMA_VERSION} and knows no way "
            "from there; give another path"
        )
    return version
