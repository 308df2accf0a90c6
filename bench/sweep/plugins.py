"""Plugin files: estimators and problems of third parties, loaded into their registries by path."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

from bench.sweep.errors import PluginError


def load_plugin(path: str | Path) -> tuple[str, ...]:
    """Load one file of estimators, and return their names.

    Raises:
        PluginError: there is no such file, it does not import (its exception is the cause), or it registers nothing.
    """
    import estimators

    return _load(path, estimators.load_file, "an estimator: put @estimators.register(…) on a function")


def load_problem(path: str | Path) -> tuple[str, ...]:
    """Load one file of problems, and return the names of their models.

    Raises:
        PluginError: there is no such file, it does not import (its exception is the cause), or it registers nothing.
    """
    from bench import problems

    return _load(path, problems.load_file, "a model: put @bench.problems.register(…) on a function")


def _load(path: str | Path, load_file: Callable[[str | Path], tuple[str, ...]], what: str) -> tuple[str, ...]:
    if not Path(path).is_file():
        raise PluginError(f"no plugin file at {path}")
    try:
        names = load_file(path)
    except (Exception, SystemExit) as error:
        raise _broken(path, error) from error
    if not names:
        raise PluginError(f"plugin {path} registers nothing; it has to register {what}")
    return names


def _broken(path: str | Path, error: BaseException) -> PluginError:
    resolved = str(Path(path).resolve())
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == resolved]
    line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else own[-1].lineno if own else None
    where = f"{path}:{line}" if line else f"{path}"
    message = " ".join(str(error).split()) or "(no message)"
    return PluginError(f"plugin {where} does not import: {type(error).__name__}: {message}")
