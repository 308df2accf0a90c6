"""One write transaction on a store's file."""

from __future__ import annotations

import sqlite3


class Transaction:
    """One write transaction; rolled back when its body or its commit fails. Inside another it is part of that one."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __enter__(self) -> None:
        self.inner = self.connection.in_transaction
        if not self.inner:
            self.connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.inner:
            return
        try:
            if kind is None:
                self.connection.execute("COMMIT")
        finally:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
