"""README, CONTRIBUTING, CHANGELOG and docs/ are tests: their Python runs, their sweeps load, their commands exist.

By Sybil, since it takes fenced blocks of any language, keeps one namespace a document, and reports the document's line.
`<!-- skip: next "why" -->` before a block leaves it out; a reason is always given.
"""

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Document, Example, Region, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

SHELLS = ("sh", "bash", "console")
FENCED = re.compile(r"^( *)```.*?^\1```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"(?<!`)`((?:[A-Z_]+=\S+ )?(?:python -m|make|pytest)\s[^`]+)`(?!`)")


def _commands(example: Example) -> None:
    from tests.documents.commands import check

    check(str(example.parsed))


def _command(example: Example) -> None:
    from tests.documents.commands import check

    check(" ".join(str(example.parsed).split()), whole=False)


def _inline(document: Document) -> Iterator[Region]:
    """Commands in running text and in tables."""
    fenced = [match.span() for match in FENCED.finditer(document.text)]
    for match in INLINE.finditer(document.text):
        if not any(start <= match.start() < end for start, end in fenced):
            yield Region(match.start(), match.end(), match[1].replace("\\|", "|"), _command)


def _toml(example: Example) -> None:
    """A sweep, a training sweep, or the description of a device."""
    from bench.forecast import device
    from bench.sweep import load
    from bench.train.sweep import load as load_training

    path = Path("example.toml")
    path.write_text(example.parsed)
    facts = tomllib.loads(example.parsed)
    if "bandwidth" in facts:
        assert device.load(path)
        return
    points = load_training(path).trainings if "train" in facts else load(path).points()
    assert points


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder of its own for a document, and registries as they were."""
    from bench.data import source
    from bench.problems import registry as problems
    from estimators import registry

    registries = (registry._estimators, problems._models, problems._files, source._sources)
    before, here = [dict(known) for known in registries], Path.cwd()
    for name in [name for name, known in registry._estimators.items() if known.origin != "estimators"]:
        del registry._estimators[name]  # which another test brought
    os.chdir(tmp_path_factory.mktemp("document"))
    yield
    os.chdir(here)
    for known, kept in zip(registries, before, strict=True):
        known.clear()
        known.update(kept)


pytest_collect_file = Sybil(
    parsers=[
        PythonCodeBlockParser(),
        CodeBlockParser("toml", _toml),
        *(CodeBlockParser(shell, _commands) for shell in SHELLS),
        _inline,
        SkipParser(),
    ],
    patterns=["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md", "docs/api/*.md"],
    fixtures=["apart"],
).pytest()
