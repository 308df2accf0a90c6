"""Commands that documents show: each is taken apart and held against what there is, and none is run."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import click

import estimators
from bench import __main__ as bench_cli
from bench.claims.ledger import claims
from bench.sweep import shipped as sweeps
from bench.train.sweep import shipped as training_sweeps
from reports import __main__ as reports_cli
from reports.figures.catalogue import FIGURES

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
SEPARATORS = {"&&", "||", "|", ";"}
PLACEHOLDER = re.compile(r"[A-Z_]+|…|\.\.\.")
UNCHECKED = {"git", "asv", "pre-commit", "dask", "openssl"}  # not ours to know the options of
SHELL = {"export", "for", "do", "done", "cd"}
CLIS = {"bench": bench_cli.cli, "reports": reports_cli.main}
FURTHER_FIGURES = ("training", "training_noise", "samples", "history")


def check(text: str, *, whole: bool = True) -> None:
    """Hold a command, or several lines of them, against the programs, verbs, options, names and files there are.

    Args:
        text: as a shell would read it.
        whole: whether it is meant to be entered as it stands; else what is required may be left out.

    Raises:
        AssertionError: something in it does not exist; the message says what.
    """
    for words in _commands(text):
        program, *rest = words
        if program == "python":
            _python(rest, whole)
        elif program == "make":
            _make(rest)
        elif program == "pytest":
            _pytest(rest)
        elif program == "pip":
            _pip(rest)
        else:
            assert program in UNCHECKED | SHELL, (
                f"{program!r} of {shlex.join(words)!r} is no program that documents use"
            )


def _commands(text: str) -> Iterator[list[str]]:
    text = re.sub(r"\$\([^)]*\)", "WORD", text.replace("\\\n", " "))
    for line in text.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>")
        lexer.commenters, lexer.whitespace_split = "#", True
        command: list[str] = []
        for word in [*lexer, ";"]:
            if word not in SEPARATORS:
                command.append(word)
                continue
            while command and re.match(r"[A-Z_]+=", command[0]):  # set for this command, or for the shell
                del command[0]
            if command:
                yield command[: command.index(">")] if ">" in command else command
            command = []


def _python(words: list[str], whole: bool) -> None:
    assert words and words[0] == "-m", f"documents show python -m; got python {shlex.join(words)}"
    module, *rest = words[1:]
    if module in CLIS:
        _click(CLIS[module], module, rest, whole)
        return
    spec = importlib.util.find_spec(module)
    assert spec and spec.origin, f"there is no module {module}"
    source = Path(spec.origin).read_text(encoding="utf-8")
    for word in rest:
        if word.startswith("--"):
            assert f'"{word.partition("=")[0]}"' in source, f"{module} has no option {word}"


def _click(group: click.Group, name: str, words: list[str], whole: bool) -> None:
    try:
        context = group.make_context(name, list(words))
        verb, command, rest = group.resolve_command(context, words)
        assert verb and command
        with contextlib.chdir(ROOT):  # files that have to exist are the checkout's
            parameters = command.make_context(verb, rest, parent=context).params
    except click.MissingParameter as missing:
        assert not whole, f"{shlex.join(words)}: {missing.format_message()}"
        return
    except click.exceptions.NoArgsIsHelpError:
        assert not whole, f"{name} {shlex.join(words)} only prints its help"
        return
    except click.ClickException as error:
        raise AssertionError(f"{name} {shlex.join(words)}: {error.format_message()}") from None
    known = KNOWN.get((name, verb))
    if known is None:
        return
    parameter, names = known
    given = parameters[parameter]
    for word in [given] if isinstance(given, str) else given or ():
        for one in word.split(","):
            if not PLACEHOLDER.fullmatch(one) and not one.endswith(".toml"):
                assert one in names(), f"{name} {verb}: there is no {one!r}"


KNOWN: dict[tuple[str, str], tuple[str, Callable[[], object]]] = {
    ("bench", "plan"): ("sweep", sweeps),
    ("bench", "run"): ("sweep", sweeps),
    ("bench", "train"): ("sweep", training_sweeps),
    ("bench", "compare"): ("names", estimators.names),
    ("bench", "conformance"): ("names", estimators.names),
    ("bench", "diff"): ("only", estimators.names),
    ("bench", "claims"): ("names", claims),
    ("reports", "figure"): ("name", lambda: (*FIGURES, *FURTHER_FIGURES)),
}  # what has to exist beside the verb: the parameter, and the names there are


def _make(words: list[str]) -> None:
    for word in words:
        variable, is_set, _ = word.partition("=")
        if is_set:
            assert re.search(rf"^{variable} \?=", MAKEFILE, re.MULTILINE), f"the Makefile has no variable {variable}"
        else:
            assert re.search(rf"^{word}:", MAKEFILE, re.MULTILINE), f"the Makefile has no target {word}"


def _pytest(words: list[str]) -> None:
    for before, word in itertools.pairwise(["pytest", *words]):
        if not word.startswith("-") and before not in ("-m", "-k"):
            assert (ROOT / word).exists(), f"there is no {word}"


def _pip(words: list[str]) -> None:
    for before, word in itertools.pairwise(words):
        if before == "-r":
            assert (ROOT / word).exists(), f"there is no {word}"
