"""The store: one SQLite file of rows, one per point, that survives kills, full disks and two runs at once."""

from bench.store.errors import StoreError as StoreError
from bench.store.schema import SCHEMA_VERSION as SCHEMA_VERSION
from bench.store.store import DEFAULT_PATH as DEFAULT_PATH
from bench.store.store import Store as Store

__all__ = ["DEFAULT_PATH", "SCHEMA_VERSION", "Store", "StoreError"]
