from __future__ import annotations

import pytest

from reports.frames.points import points
from reports.frames.rows import from_rows
from tests.reports.synthetic_rows import synthetic_rows


@pytest.fixture(scope="session")
def rows():
    return from_rows(synthetic_rows())


@pytest.fixture(scope="session")
def frame(rows):
    return points(rows)
