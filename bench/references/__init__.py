"""Exact references in float64, shared by all estimators of a problem and kept under a content hash."""

from bench.references.reference import REFERENCE_VERSION as REFERENCE_VERSION
from bench.references.reference import Reference as Reference
from bench.references.reference import compute as compute
from bench.references.reference import load_or_compute as load_or_compute

__all__ = ["REFERENCE_VERSION", "Reference", "compute", "load_or_compute"]
