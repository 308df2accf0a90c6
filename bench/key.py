"""A point's key: one hash of everything that defines it, so that nothing is measured twice and nothing mixed up."""

from __future__ import annotations

import ast
import hashlib
import json
from functools import cache
from importlib.metadata import version
from pathlib import Path

from bench.point import Point, asdict_plain

METHOD_VERSION = "1"
"""Version of the way of measuring: raised when problems, references or meters change what a number means."""


def key(point: Point, estimator_source: str, machine: str) -> str:
    """The key of a point.

    It covers the problem, the estimator's name, order, target and options, dtype, device, threads and draws; the
    version of torch; the source of the estimator, of the one it is paired with, and of a third party's model and data;
    the method version; and the hardware class.

    Args:
        point: what is measured.
        estimator_source: what `estimator_source` gives for its estimator.
        machine: what `bench.machine.hardware_class` gives for its device.

    Raises:
        TypeError: ``machine`` is not a text: a whole fingerprint would change with the clock governor.
    """
    if not isinstance(machine, str):
        raise TypeError(f"machine has to be the hardware class, a text; got {type(machine).__name__}")
    from bench.problems.build import content as problem_content  # imports torch, which hashing a source does not need

    content = {
        "point": asdict_plain(point) | {"problem": {**problem_content(point.problem), "batch": point.problem.batch}},
        "estimator_source": estimator_source,
        "pair_source": _pair_source(point.estimator),
        "torch": version("torch"),
        "method": METHOD_VERSION,
        "machine": machine,
    }
    return _hash(json.dumps(content, sort_keys=True, separators=(",", ":")))


def estimator_source(name: str) -> str:
    """Hash of an estimator's source: its file, and all files of `estimators` that it imports, directly or not.

    Comments, docstrings and formatting do not count: the hash is of the syntax tree, written out anew.

    Raises:
        KeyError: there is no such estimator.
    """
    import estimators

    function = estimators.get(name).function
    return _source_hash(Path(function.__code__.co_filename).resolve(), Path(estimators.__file__).resolve().parent)


@cache
def _source_hash(path: Path, root: Path) -> str:
    sources = {_name(file, root): canonical(file.read_text(encoding="utf-8")) for file in import_closure(path, root)}
    return _hash(json.dumps(sources, sort_keys=True))


def import_closure(path: Path, root: Path) -> set[Path]:
    """A Python file and all files of the package at ``root`` that it imports, found without running anything.

    The package's own ``__init__`` counts only where a name in it is imported, not where it is passed through.
    """
    closure: set[Path] = set()
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file in closure:
            continue
        closure.add(file)
        waiting.extend(_imports(file, root))
    return closure


def canonical(source: str) -> str:
    """Python source without comments, docstrings and formatting: equal programs give equal texts.

    Written out from the syntax tree, since a formatter changes tokens too (quotes, trailing commas, parentheses).
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and body:
            first = body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _imports(file: Path, root: Path) -> list[Path]:
    """The files of the package that one file imports."""
    package = root.name
    here = file.relative_to(root).parts[:-1] if file.is_relative_to(root) else None
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [
                _file(alias.name.split(".")[1:], root) for alias in node.names if alias.name.split(".")[0] == package
            ]
        elif isinstance(node, ast.ImportFrom):
            parts = (node.module or "").split(".") if node.module else []
            if node.level:
                if here is None:
                    continue
                parts = [*here[: len(here) - node.level + 1], *parts]
            elif parts[:1] == [package]:
                parts = parts[1:]
            else:
                continue
            for alias in node.names:
                found.append(_file([*parts, alias.name], root) or _file(parts, root))
    return [path for path in found if path is not None]


def _file(parts: list[str], root: Path) -> Path | None:
    base = root.joinpath(*parts)
    for path in (base.with_suffix(".py"), base / "__init__.py") if parts else (root / "__init__.py",):
        if path.is_file():
            return path
    return None


def _name(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else "plugin"


def _pair_source(name: str) -> str:
    """The source of the estimator that the bias is measured against, if there is one."""
    import estimators

    try:
        pair = estimators.get(name).pair
        return estimator_source(pair) if pair else ""
    except KeyError:
        return ""


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
