"""Continuous integration: where packages come from is the repository's setting, not the code's."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("file", [".ci/run", ".github/workflows/ci.yml", "Makefile"])
def test_no_package_index_is_named(file):
    text = (ROOT / file).read_text()
    assert "://" not in text
    assert "PIP_FLAGS" in text
