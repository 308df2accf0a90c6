"""The test battery for an estimator, a third party's too: does it do what its facts say."""

from __future__ import annotations

import click


@click.command("conformance")
@click.argument("names", nargs=-1, metavar="NAME…")
@click.option("--plugin", "plugins", multiple=True, metavar="FILE", help="A file of estimators; without NAME, all its.")
def conformance(names: tuple[str, ...], plugins: tuple[str, ...]) -> None:
    """Check shapes, dtypes, determinism, untouched inputs, scale, bias of value and gradient, its order, its pair.

    Exits with 1 if a property fails. The same battery is `estimators.testing.check` in the package.
    """
    import estimators
    from bench.sweep.plugins import load_plugin
    from estimators import testing

    loaded = tuple(name for plugin in plugins for name in load_plugin(plugin))
    chosen = names or loaded
    if not chosen:
        raise click.UsageError("name an estimator, or give a file of them with --plugin")
    for name in chosen:
        if name not in estimators.names():
            from estimators.arguments import close_matches

            raise click.UsageError(f"no estimator called {name!r}" + close_matches(name, estimators.names()))
    failed = False
    for name in chosen:
        try:
            click.echo(str(testing.check(name)))
        except AssertionError as error:
            failed = True
            click.echo(str(error).replace("\n  ", "\n  fails    "))
    raise SystemExit(1 if failed else 0)
