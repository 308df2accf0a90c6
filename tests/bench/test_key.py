"""Keys: everything that defines a point changes its key, and nothing else does."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import pytest

import estimators
from bench import key, machine
from bench.point import Point, ProblemSpec
from bench.problems.build import content as problem_content

POINT = Point("ssm", "score_matching", ProblemSpec(), options={"probes": 1, "law": "sphere"}, target="sm")


def test_everything_that_defines_a_point_changes_its_key():
    points = [
        POINT,
        replace(POINT, options={"probes": 2, "law": "sphere"}),
        replace(POINT, estimator="ssm_vr"),
        replace(POINT, order=4),
        replace(POINT, dtype="float64"),
        replace(POINT, device="cuda"),
        replace(POINT, threads=2),
        replace(POINT, draws=128),
        *(
            replace(POINT, problem=replace(POINT.problem, **{name: value}))
            for name, value in dict(
                data="gaussian",
                dim=8,
                depth=4,
                width=16,
                activation="tanh",
                residual=True,
                batch=3,
                seed=1,
                stage="trained",
            ).items()
        ),
    ]
    keys = [key.key(point, "source", "class") for point in points]
    keys += [key.key(POINT, "other source", "class"), key.key(POINT, "source", "other class")]
    assert len(set(keys)) == len(keys)
    assert key.key(replace(POINT), "source", "class") == keys[0]


@pytest.mark.parametrize("options", [{}, {"probes": 1, "law": '"problem":null'}, {"eps": 0.1, "chunk": None}])
def test_it_is_the_hash_of_the_canonical_json_of_all_of_it(options):
    point = replace(POINT, estimator="fd_ssm", options=options, device="cuda:1")
    for draws, seed in ((1, 0), (True, 0), (64, 0), (64, 1)):
        point = replace(point, draws=draws, problem=replace(point.problem, seed=seed))
        content = {
            "point": asdict(replace(point, options=dict(options))),
            "estimator_source": "source",
            "pair_source": key.estimator_source(estimators.get("fd_ssm").pair),
            "problems_source": key.problems_source(),
            "torch": key._torch_version(),
            "method": key.METHOD_VERSION,
            "machine": 'a "class"',
        }
        content["point"]["problem"] = {**problem_content(point.problem), "batch": point.problem.batch}
        line = json.dumps(content, sort_keys=True, separators=(",", ":"))
        assert key.key(point, "source", 'a "class"') == hashlib.sha256(line.encode()).hexdigest()[:32]


def test_torch_and_the_method_change_it(monkeypatch):
    before = key.key(POINT, "source", "class")
    monkeypatch.setattr(key, "METHOD_VERSION", "other")
    assert key.key(POINT, "source", "class") != before
    monkeypatch.undo()
    monkeypatch.setattr(key, "_torch_version", lambda: "9.9")
    assert key.key(POINT, "source", "class") != before


def test_the_order_of_options_does_not():
    turned = replace(POINT, options={"law": "sphere", "probes": 1})
    assert key.key(turned, "s", "m") == key.key(POINT, "s", "m")


def test_what_a_model_does_not_heed_does_not():
    spec = ProblemSpec(model="quadratic", data="gaussian")
    a, b = (replace(POINT, problem=replace(spec, depth=depth)) for depth in (2, 8))
    assert key.key(a, "s", "m") == key.key(b, "s", "m")


def test_a_fingerprint_is_no_hardware_class():
    with pytest.raises(TypeError, match="hardware class"):
        key.key(POINT, "source", {"cpu": "x"})


SOURCE = '''
"""Docstring."""
import torch  # why


def f(x, y=(1, 2)):
    """What it does."""
    s = 'text'
    return x + y[0]
'''


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("Docstring", "Another", True),
        ("What it does", "What it says", True),
        ("# why", "# another reason", True),
        ("'text'", '"text"', True),
        ("y=(1, 2)", "y=(\n        1,\n        2,\n    )", True),
        ("return x + y[0]", "return (x + y[0])", True),
        ("\n\n\ndef", "\n\ndef", True),
        ("x + y", "x - y", False),
        ("'text'", "'texts'", False),
        ("y=(1, 2)", "y=(1, 3)", False),
        ("return x + y[0]", "return x + y[0] + 0", False),
    ],
)
def test_comments_docstrings_and_formatting_do_not_count(old, new, same):
    assert old in SOURCE
    assert (key.canonical(SOURCE.replace(old, new)) == key.canonical(SOURCE)) is same


def test_the_closure_follows_imports_within_the_package_only(tmp_path):
    root = tmp_path / "package"
    (root / "inner").mkdir(parents=True)
    files = {
        "__init__.py": "from package import everything",
        "a.py": "import torch\nfrom package import b\nfrom package.inner.c import thing\n",
        "b.py": "from package.inner import d as e\nimport package.inner.f\n",
        "everything.py": "",
        "inner/__init__.py": "g = 1",
        "inner/c.py": "from . import d\nfrom ..unused import x\n",
        "inner/d.py": "def late():\n    from package.inner import g\n",
        "inner/f.py": "import package.a\n",
        "unused.py": "",
        "other.py": "",
    }
    for name, text in files.items():
        (root / name).write_text(text)
    found = {file.relative_to(root).as_posix() for file in key.import_closure(root / "a.py", root)}
    assert found == {"a.py", "b.py", "inner/__init__.py", "inner/c.py", "inner/d.py", "inner/f.py", "unused.py"}


def test_the_source_of_an_estimator_is_its_own():
    sources = {name: key.estimator_source(name) for name in estimators.names()}
    assert len(set(sources.values())) == len(sources)
    with pytest.raises(KeyError):
        key.estimator_source("ssmm")


def test_a_plugins_source_is_its_file(tmp_path):
    from estimators import registry

    def source(body: str, folder: str) -> str:
        path = tmp_path / folder / "mine.py"
        path.parent.mkdir()
        path.write_text(
            "import estimators\n@estimators.register('mine', quantity='score_matching')\n"
            f"def mine(m, x):\n    return {body}\n"
        )
        try:
            estimators.load_file(path)
            return key.estimator_source("mine")
        finally:
            del registry._estimators["mine"]

    assert source("x.sum(-1)", "a") == source("(x.sum( -1 ))  # the same", "b") != source("x.sum(-2)", "c")


@pytest.fixture
def plugin(tmp_path):
    """A plugin with its neighbours, and a package that stands for `estimators`: the file, the root, and its hash."""
    root, folder = tmp_path / "estimators", tmp_path / "mine"
    for path, text in {
        root / "__init__.py": "",
        root / "directional" / "taylor.py": "a = 1",
        folder / "my_trace.py": "import estimators, near, torch\nestimators.get('taylor')\n",
        folder / "near.py": "from package.inner import c",
        folder / "package" / "__init__.py": "",
        folder / "package" / "inner.py": "from . import other\nc = 1",
        folder / "package" / "other.py": "d = 1",
        folder / "torch_notes.py": "",
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def source(is_plugin_file=True):
        return key._source_hash(folder / "my_trace.py", root, is_plugin_file)

    yield folder, root, source


def test_a_plugin_counts_with_all_that_it_can_use(plugin):
    folder, root, source = plugin
    seen = [source()]
    for file in (
        root / "directional" / "taylor.py",
        folder / "my_trace.py",
        folder / "near.py",
        folder / "package" / "inner.py",
        folder / "package" / "other.py",
    ):
        file.write_text(file.read_text() + "\n# why\n")
        assert source() == seen[-1]
        file.write_text(file.read_text() + "\nb = 2\n")
        seen.append(source())
    assert len(set(seen)) == len(seen)
    (folder / "torch_notes.py").write_text("b = 2")  # not imported
    assert source() == seen[-1]


def test_an_installed_estimator_counts_with_its_package_and_never_with_its_neighbours(plugin):
    folder, _, source = plugin
    alone = source(is_plugin_file=False)
    (folder / "near.py").write_text("b = 2")  # another distribution's, in the same environment
    assert source(is_plugin_file=False) == alone
    (folder / "__init__.py").write_text("")
    packaged = source(is_plugin_file=False)
    (folder / "near.py").write_text("b = 3")
    assert len({alone, packaged, source(is_plugin_file=False)}) == 3


def test_an_edit_to_a_problem_changes_every_key(monkeypatch):
    before = key.key(POINT, "source", "class")
    canonical = key.canonical
    for file in ("data/digits.py", "problems/mlp.py", "exact/gradient.py", "references/reference.py"):
        edited = (Path(key.__file__).parent / file).read_text()
        for change, same in (("\n# why\n", True), ("\nb = 2\n", False)):
            key.problems_source.cache_clear()
            with monkeypatch.context() as patch:
                patch.setattr(key, "canonical", lambda s, e=edited, c=change: canonical(s + c if s == e else s))
                assert (key.key(POINT, "source", "class") == before) is same, file
    key.problems_source.cache_clear()
    assert key.key(POINT, "source", "class") == before


def test_a_changed_pair_changes_the_key_of_what_is_measured_against_it(monkeypatch):
    point = replace(POINT, estimator="fd_ssm")
    assert estimators.get("fd_ssm").pair
    before = key.key(point, "source", "class")
    monkeypatch.setattr(key, "estimator_source", lambda name: "changed")
    assert key.key(point, "source", "class") != before


def test_the_commit_is_that_of_the_files_imported(tmp_path):
    assert len(machine.commit().rstrip("+")) == 40
    # A folder that no commit holds, inside a checkout: an environment under .asv.
    inside = Path(__file__).parents[2] / "build" / "not_tracked"
    inside.mkdir(parents=True, exist_ok=True)
    (inside / "__init__.py").touch()
    try:
        assert machine.commit_of(inside) == machine._recorded_commit()
    finally:
        (inside / "__init__.py").unlink()
        inside.rmdir()


def test_a_plus_marks_files_that_differ_from_the_commit(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("a = 1\n")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.invalid"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    clean = machine.commit_of(package)
    assert len(clean) == 40
    (tmp_path / "elsewhere.py").touch()
    assert machine.commit_of(package) == clean
    (package / "__init__.py").write_text("a = 2\n")
    assert machine.commit_of(package) == clean + "+"


def test_the_hardware_class_is_the_same_every_time_and_names_the_processor():
    assert machine.hardware_class("cpu") == machine.hardware_class()
    assert machine.cpu_model() in machine.hardware_class()
    assert machine.hardware_class("cuda:7") != machine.hardware_class("cpu")


def test_the_fingerprint_is_plain_data():
    import json

    facts = machine.fingerprint()
    assert json.loads(json.dumps(facts)) == facts
    assert {"cpu", "memory_bytes", "governor", "system", "python", "torch", "blas", "gpus", "tf32_matmul"} <= set(facts)
