"""``python -m bench VERB``: one file a verb, imported only when it is asked for, so that help does not wait for torch.

By click: it nests verbs, reads types, and leaves the wording and the exit code of errors to us.
"""

from __future__ import annotations

import ast
import importlib
import sys
import traceback
from pathlib import Path

import click

VERBS = Path(__file__).parent / "verbs"
ORDER = (
    *("list", "plan", "run", "compare", "diff", "recommend", "train", "claims", "export", "merge", "check", "doctor"),
    "conformance",
)


class Verbs(click.Group):
    """The files of ``bench/verbs``."""

    def list_commands(self, context: click.Context) -> list[str]:
        """The verbs, those of a first hour first."""
        verbs = [path.stem for path in VERBS.glob("*.py") if not path.stem.startswith("_")]
        return sorted(verbs, key=lambda verb: (ORDER.index(verb) if verb in ORDER else len(ORDER), verb))

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The click command of this name in the verb's file."""
        if name not in self.list_commands(context):
            return None
        module = importlib.import_module(f"bench.verbs.{name}")
        return next(c for c in vars(module).values() if isinstance(c, click.Command) and c.name == name)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Refuse an unknown verb with its close matches."""
        verbs = self.list_commands(context)
        if args[0] not in verbs and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], verbs, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(close)}?" if close else f"verbs: {', '.join(verbs)}"
            raise click.UsageError(f"no verb {args[0]!r}; {hint}")
        return super().resolve_command(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Each verb with the first line of its file, read without importing it."""
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, _first_line(VERBS / f"{verb}.py")) for verb in self.list_commands(context)])


def _first_line(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


@click.command("bench", cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """Measure what a given accuracy of an estimator's training gradient costs in time and memory.

    Start with `list`, then `plan quick`, then `run quick`. Exit codes: 0 done, 1 a verdict failed, 2 bad usage.
    """


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; errors of usage or installation become one line on standard error and exit code 2."""
    try:
        result = cli.main(arguments, prog_name="python -m bench", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as help_:
        click.echo(help_.ctx.get_help())
        return 2
    except click.ClickException as error:
        return _usage(error.format_message())
    except SystemExit as stop:  # a verb's own exit code: 1, a verdict failed
        return stop.code if isinstance(stop.code, int) else 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return 130
    except BrokenPipeError:  # `| head`
        sys.stdout = None  # type: ignore[assignment]
        return 0
    except (ValueError, RuntimeError) as error:  # a RuntimeError of ours: workers that cannot be started
        if not _is_usage(error):
            raise
        return _usage(str(error), error.__cause__ if type(error).__name__ == "PluginError" else None)


def _is_usage(error: Exception) -> bool:
    """Whether it is one of ours; any other is a fault of the program and keeps its traceback."""
    return type(error).__module__.startswith("bench.") and type(error).__name__.endswith("Error")


def _usage(message: str, cause: BaseException | None = None) -> int:
    if cause is not None:
        traceback.print_exception(cause)
    click.echo("error: " + " ".join(message.split()), err=True)
    return 2


if __name__ == "__main__":
    sys.exit(main())
