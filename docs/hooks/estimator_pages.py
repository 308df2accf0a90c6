"""A page for each quantity, from the registry: a table of its estimators, then each with its facts and docstring."""

from __future__ import annotations

import inspect

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import estimators
from estimators.cost import SYMBOLS
from estimators.estimator import QUANTITIES, Estimator

TITLES = {
    "directional": ("Directional derivatives", "D^T f(x)[v, …, v], of order T along v", "est(f, x, v, order=T)"),
    "laplacian": ("Laplacians", "Δ^m f(x), of order 2m", "est(f, x, order=2, generator=g)"),
    "score_matching": ("Score matching", "½‖s‖² + tr ∇s per sample, for most", "est(model, x, generator=g)"),
    "log_likelihood": ("Log-likelihood", "−log p(x), of a normalising flow", "est(model, x)"),
}


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages, which have no file of their own."""
    for quantity in QUANTITIES:
        files.append(File.generated(config, f"api/{quantity}.md", content=page(quantity)))
    return files


def page(quantity: str) -> str:
    """The page in Markdown."""
    title, what, call = TITLES[quantity]
    found = [e for e in map(estimators.get, estimators.names(quantity)) if e.origin == "estimators"]
    head = ("estimator", "does", "target", "error", "passes, value")
    return "\n\n".join(
        [
            f"# {title}",
            f"`{quantity}` estimates {_text(what)}. Called as `{call}`, x of shape (B, D); all return (B,), and are "
            "differentiable in the model's parameters.",
            "\n".join(_line(cells) for cells in (head, ("---",) * len(head), *map(_row, found))),
            "*Error*: exact; unbiased, but noisy; or a bias, which vanishes with an option or is fixed. *Passes* are "
            "evaluations of the model: " + ", ".join(f"{letter} is {it}" for letter, it in SYMBOLS.items()) + ". "
            "[How costs are counted](registry.md#estimators.Cost).",
            *map(_section, found),
        ]
    )


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


def _row(e: Estimator) -> tuple[str, ...]:
    summary = inspect.cleandoc(e.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    return f"[`{e.name}`](#{e.name})", _text(summary), f"`{e.target}`", _error(e), _passes(e)


def _section(e: Estimator) -> str:
    """The facts, and the docstring."""
    facts = {
        "call": f"`{_call(e)}`",
        "target": f"`{e.target}`",
        "error": _error(e),
        "orders": "any" if e.orders == "any" else ", ".join(map(str, e.orders)),
        "needs": f"`{e.needs}`",
        "pair": f"[`{e.pair}`](#{e.pair})" if e.pair else "–",
        "passes": _passes(e),
    }
    if e.cost:
        facts["passes"] += f"; with the θ-gradient {_text(e.cost.step_passes)}"
        facts["memory"] = f"O({_text(e.cost.memory)}) a row; with the θ-gradient O({_text(e.cost.step_memory)})"
    listed = "\n\n".join(f"{fact}\n:   {value}" for fact, value in facts.items())
    where = f"::: {e.function.__module__}.{e.function.__name__}\n    options: {{ show_root_heading: false, "
    where += "show_root_toc_entry: false, heading_level: 3 }"
    return f'## {e.name} {{ #{e.name} }}\n\n<div class="facts" markdown="1">\n\n{listed}\n\n</div>\n\n{where}'


def _call(e: Estimator) -> str:
    """How it is called, with its options at their defaults."""
    call = TITLES[e.quantity][2].removesuffix(")")
    if not e.stochastic:
        call = call.removesuffix(", generator=g")
    return call + "".join(f", {option}={value!r}" for option, value in e.options.items()) + ")"


def _error(e: Estimator) -> str:
    """Bias and noise in a word or two."""
    if e.bias == "none":
        return "unbiased" if e.stochastic else "exact"
    bias = f"O({_text(e.step)}<sup>{e.bias_order}</sup>)" if e.bias == "vanishing" else "fixed bias"
    return bias + (", noisy" if e.stochastic else "")


def _passes(e: Estimator) -> str:
    return _text(e.cost.passes) if e.cost else "not declared"


def _text(text: object) -> str:
    """Text in which nothing is markup but names between double backquotes."""
    parts = str(text).split("``")
    return "".join(f"`{part}`" if i % 2 else _plain(part) for i, part in enumerate(parts))


def _plain(text: str) -> str:
    return "".join(f"&#{ord(c)};" if c in "\\`*_[]<>|" else c for c in text)
