"""One row a measurement: of the rows that measure the same problem on the same machine, the newest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from bench.columns import COLUMNS

SAME = (*(column.name for column in COLUMNS if column.group == "identity"), "machine")


def latest(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The newest finished row of each identity and machine, in the order the identities first appear.

    An edited estimator or a newer way of measuring has a key of its own, so its row does not replace the older one in
    the store. The newest has the latest `started_at`, the later one of equals; a row that was never finished stands
    only where none was. A row without `finished` counts as finished.
    """
    newest: dict[str, tuple[tuple[bool, str], Mapping[str, Any]]] = {}
    for row in rows:
        identity = json.dumps([row.get(name) for name in SAME], sort_keys=True, default=str)
        age = bool(row.get("finished", True)), str(row.get("started_at") or "")
        if identity not in newest or age >= newest[identity][0]:
            newest[identity] = age, row
    return [row for _, row in newest.values()]
