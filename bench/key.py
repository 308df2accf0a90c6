"""A point's key: one hash of everything that defines it, so that nothing is measured twice and nothing mixed up."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
from functools import cache, lru_cache
from importlib.metadata import version
from operator import attrgetter
from pathlib import Path
from typing import Any

from bench.point import Point, ProblemSpec

METHOD_VERSION = "6"
"""Version of the way of measuring: raised by hand when meters, workers or timing change what a number means.

Data, problems and references need no raise: their programs are part of every key (`problems_source`).
"""


def key(point: Point, estimator_source: str, machine: str) -> str:
    """The key of a point.

    It covers the problem, the estimator's name, order, target and options, dtype, device, threads and draws; the
    version of torch; the source of the estimator, of the one it is paired with, of a third party's model and data, and
    of our data, problems and references; the method version; and the hardware class.

    Args:
        point: what is measured.
        estimator_source: what `estimator_source` gives for its estimator.
        machine: what `bench.machine.hardware_class` gives for its device.

    Raises:
        TypeError: ``machine`` is not a text: a whole fingerprint would change with the clock governor.
    """
    if not isinstance(machine, str):
        raise TypeError(f"machine has to be the hardware class, a text; got {type(machine).__name__}")
    shared = (estimator_source, _pair_source(point.estimator), problems_source(), _torch_version(), METHOD_VERSION)
    before, between, after = _around(shared, machine, *_scalars(point))
    line = f"{before}{_encode(dict(point.options))}{between}{_problem_line(point.problem)}{after}"
    return hashlib.sha256(line.encode()).hexdigest()[:32]


# A hundred thousand keys are a second's work: what many points share is written once, and spliced.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_OPTIONS, _PROBLEM = "\0options", "\0problem"  # marks where they go; no name or hash holds a NUL
_SCALARS = tuple(name for name in Point.__dataclass_fields__ if name not in ("options", "problem"))
_scalars = attrgetter(*_SCALARS)


@lru_cache(256, typed=True)
def _around(shared: tuple[str, ...], machine: str, *scalars: Any) -> tuple[str, str, str]:
    """The JSON of everything that defines a point, cut where its options and its problem go."""
    names = ("estimator_source", "pair_source", "problems_source", "torch", "method")
    point = {**dict(zip(_SCALARS, scalars, strict=True)), "options": _OPTIONS, "problem": _PROBLEM}
    line = _encode({**dict(zip(names, shared, strict=True)), "machine": machine, "point": point})
    before, _, rest = line.partition(_encode(_OPTIONS))
    between, _, after = rest.partition(_encode(_PROBLEM))
    return before, between, after


def _problem_line(spec: ProblemSpec) -> str:
    from bench.data.source import DATA
    from bench.problems.registry import MODELS  # imports torch, which hashing a source does not need

    model = MODELS[spec.model]
    return _written(spec, model.reads, model.source_hash, DATA[spec.data].source_hash)


@lru_cache(64)
def _written(spec: ProblemSpec, *registered: object) -> str:
    """A problem's JSON; written again where its model or its data are registered anew."""
    from bench.problems.build import content

    return _encode({**content(spec), "batch": spec.batch})


@cache
def _torch_version() -> str:
    return version("torch")


@cache
def problems_source() -> str:
    """Hash of the programs that make data and problems and compute the exact answers: 50 ms, once a process.

    As in `estimator_source`, comments, docstrings and formatting do not count.
    """
    from bench.cache import CODE

    root = Path(__file__).resolve().parent
    return _hash_of_files({file for folder in CODE for file in (root / folder).rglob("*.py")}, root)


def estimator_source(name: str) -> str:
    """Hash of an estimator's source: its file, and all files of `estimators` that it imports, directly or not.

    One that is not built in may reach any other through the registry, so it counts with all of `estimators`: with the
    files beside its own that it imports, or with all files of the package it lies in.
    Comments, docstrings and formatting do not count: the hash is of the syntax tree, written out anew.

    Raises:
        KeyError: there is no such estimator.
    """
    import estimators

    estimator = estimators.get(name)
    return _source(inspect.unwrap(estimator.function).__code__.co_filename, estimator.origin)


@cache
def _source(file: str, origin: str) -> str:
    import estimators

    path = Path(file).resolve()
    return _source_hash(path, Path(estimators.__file__).resolve().parent, is_plugin_file=origin == str(path))


def _source_hash(path: Path, root: Path, is_plugin_file: bool = False) -> str:
    if path.is_relative_to(root):
        return _hash_of_files(import_closure(path, root), root)
    return _hash([_hash_of_files(set(root.rglob("*.py")), root), _hash_of_files(*_foreign(path, is_plugin_file))])


def plugin_files(path: Path) -> tuple[set[Path], Path]:
    """The Python files that a plugin consists of, and the folder they are named from."""
    return _foreign(path, is_plugin_file=True)


def _foreign(path: Path, is_plugin_file: bool) -> tuple[set[Path], Path]:
    """The files that a third party's estimator consists of, and the folder they are named from."""
    top = path.parent
    if (top / "__init__.py").is_file():
        while (top.parent / "__init__.py").is_file():
            top = top.parent
        return set(top.rglob("*.py")), top
    # A module alone in an environment lies beside all that is installed there, torch included.
    return _beside(path) if is_plugin_file else {path}, top


def _beside(path: Path) -> set[Path]:
    """A file and those of its folder that it imports, directly or not; of a package, all files."""
    closure: set[Path] = set()
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file in closure:
            continue
        closure.add(file)
        for name in _imported_tops(file):
            waiting += [found] if (found := path.parent / f"{name}.py").is_file() else []
            if (path.parent / name / "__init__.py").is_file():
                waiting += (path.parent / name).rglob("*.py")
    return closure


def _imported_tops(file: Path) -> set[str]:
    """The first parts of the names that a file imports; a package's relative imports lead to no other package."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names - {"estimators", "bench"}


def _hash_of_files(files: set[Path], root: Path) -> str:
    return _hash({file.relative_to(root).as_posix(): canonical(file.read_text(encoding="utf-8")) for file in files})


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


def _pair_source(name: str) -> str:
    """The source of the estimator that the bias is measured against, if there is one."""
    import estimators

    try:
        pair = estimators.get(name).pair
        return estimator_source(pair) if pair else ""
    except KeyError:
        return ""


def _hash(content: Any) -> str:
    line = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(line.encode()).hexdigest()[:32]
