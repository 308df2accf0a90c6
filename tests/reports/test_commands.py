"""`python -m reports`: what it writes, and how it refuses."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from bench.store import Store
from estimators import registry
from reports.__main__ import main
from reports.__main__ import run as run_command
from reports.frames.rows import from_rows, load
from reports.pages.build import build
from reports.tables import table
from tests.reports.synthetic_rows import synthetic_rows


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "synthetic.sqlite"
    with Store(path) as opened:
        opened.put_many((row, True) for row in synthetic_rows())
    return str(path)


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_build_writes_one_folder_below_three_megabytes(store, tmp_path):
    result = run("build", "--store", store, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert str(tmp_path / "index.html") in result.output
    written = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert {"index.html", "report.js", "report.css", "estimators/ssm.html"} <= written
    assert sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file()) < 3e6
    text = (tmp_path / "index.html").read_text()
    assert "default-src 'none'" in text and "connect-src 'none'" in text
    assert "http://" not in text and "https://" not in text


@pytest.mark.parametrize("format_", ["svg", "pdf"])
def test_figure_writes_the_file(store, tmp_path, format_):
    out = tmp_path / f"figure.{format_}"
    result = run("figure", "outcomes", "--store", store, "--format", format_, "--out", out)
    assert result.exit_code == 0, result.output
    assert out.read_bytes()[:5] == (b"%PDF-" if format_ == "pdf" else b"<?xml")


def test_tables_for_papers(store):
    markdown = run("table", "--store", store, "--where", "quantity=laplacian", "--where", "dim=784").output
    assert "| hessian_trace | 784 | 2 | 2 | out of memory |" in markdown
    latex = run("table", "--store", store, "--format", "latex", "--where", "estimator=fd_ssm").output
    assert r"fd\_ssm ($\varepsilon$=0.1) & 16" in latex
    assert latex.count("\\\\") == 1 + 16


def test_tables_escape_what_latex_and_markdown_would_read(frame):
    hidden = frame[(frame["bias_resolved"] == False) & (frame["grad_bias_high"] > 0)].head(1)  # noqa: E712
    hidden = hidden.assign(label="a<b>\n\n|c", grad_bias_high=0.123)
    latex, markdown = table(hidden, "latex"), table(hidden, "markdown")
    assert "a$<$b$>$ |c & " in latex and " & $<$ 0.12 & " in latex
    assert "| a&lt;b> \\|c | " in markdown and " | &lt; 0.12 | " in markdown
    assert len(latex.splitlines()) == 7 and len(markdown.splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["figure", "nonsense"], "no figure called 'nonsense'; there are work_precision"),
        (["figure", "outcomes", "--where", "dimm=3"], "close: dim"),
        (["figure", "outcomes", "--cost", "flops_step"], "the figure outcomes has no --cost"),
        (["table", "--where", "dim=5"], "no row is left"),
    ],
)
def test_bad_usage_is_one_clear_line(store, arguments, message):
    result = run(*arguments, "--store", store)
    assert result.exit_code == 2
    assert message in result.output


def test_a_store_that_is_not_there_or_not_ours_or_empty(tmp_path):
    other = tmp_path / "other.sqlite"
    other.write_text("not a database")
    empty = tmp_path / "empty.sqlite"
    Store(empty).close()
    for path in (tmp_path / "missing.sqlite", other, empty):
        result = run("build", "--store", path, "--out", tmp_path / "out")
        assert result.exit_code == 2
        assert path.name in result.output
        assert "Traceback" not in result.output


def test_a_plugin_tells_its_page_what_it_declares(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_estimators", dict(registry._estimators))  # and forget it again
    plugin = tmp_path / "declared_by_plugin.py"
    plugin.write_text(
        "import estimators\n"
        "@estimators.register('declared_by_plugin', quantity='laplacian', source='Somebody (2026)')\n"
        "def declared_by_plugin(f, x, *, order, generator, probes=1):\n"
        "    'A trace.\\n\\n    Σ_m v_mᵀ H v_m.'\n"
        "    return f(x)\n"
    )
    path = tmp_path / "a.sqlite"
    with Store(path) as opened:
        opened.put(
            next(r for r in synthetic_rows() if r["estimator"] == "hvp_loop") | {"estimator": "declared_by_plugin"}
        )
    result = run("build", "--store", path, "--out", tmp_path / "html", "--plugin", plugin)
    assert result.exit_code == 0, result.output
    page = (tmp_path / "html" / "estimators" / "declared_by_plugin.html").read_text()
    assert "Somebody (2026)" in page and "Σ<sub>m</sub>" in page
    assert run("build", "--store", path, "--plugin", tmp_path / "none.py").exit_code == 2


@pytest.mark.parametrize(
    ("place", "arguments"),
    [("reports.pages.build.build", ["build"]), ("reports.tables.table", ["table"])],
)
def test_a_fault_of_the_program_keeps_its_traceback(store, tmp_path, monkeypatch, place, arguments):
    def broken(*_):
        raise ValueError("a fault of the program")

    monkeypatch.setattr(place, broken)
    with pytest.raises(ValueError, match="a fault of the program"):
        run_command([*arguments, "--store", store])


def test_errors_are_one_line_and_exit_code_two(capsys):
    assert run_command(["figure", "nonsense"]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: no figure called 'nonsense'")
    assert captured.err.count("\n") == 1


def test_the_report_shows_the_newest_version_of_a_row_and_counts_the_older_ones(tmp_path):
    row = next(r for r in synthetic_rows() if r["estimator"] == "hvp_loop")
    older = row | {"key": "older", "started_at": "2025-01-01T00:00:00Z", "estimator_source": "b" * 12}
    path = tmp_path / "versions.sqlite"
    with Store(path) as opened:
        opened.put_many([(row, True), (older, True)])
    frame = load(path)
    assert list(frame["key"]) == [row["key"]]
    build(frame, tmp_path / "html")
    page = (tmp_path / "html" / "index.html").read_text()
    assert "1 older row was left out" in page
    build(from_rows([row]), tmp_path / "none")
    assert "left out: the same" not in (tmp_path / "none" / "index.html").read_text()
