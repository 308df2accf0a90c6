"""Sweeps: what a TOML file comes to, and one clear line with its place for everything that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

import estimators
from bench import sweep
from bench.problems import needs
from bench.sweep import SweepError

BASE = """\
title = "A sweep"
quantity = "score_matching"
estimators = ["sm_exact", { name = "ssm", probes = [1, 4] }]

[grid]
dim = [4, 8]
depth = 2
width = 8
batch = 16
data = "gaussian"

[measure]
draws = 32
"""


@pytest.fixture
def points(tmp_path):
    def of(text: str, *plugins) -> list:
        return loaded(text).points(*plugins)

    def loaded(text: str) -> sweep.Sweep:
        path = tmp_path / "sweep.toml"
        path.write_text(text)
        return sweep.load(path)

    of.sweep = loaded
    return of


def plugin(folder: Path, name: str, quantity: str = "score_matching", body: str = "") -> Path:
    path = folder / f"{name}.py"
    arguments = "f, x, *, order" if quantity == "laplacian" else "model, x"
    path.write_text(
        f"import estimators\n{body}\n"
        f"@estimators.register({name!r}, quantity={quantity!r})\n"
        f"def {name}({arguments}):\n    return x.sum(-1)\n"
    )
    return path


@pytest.fixture
def forget():
    from estimators import registry

    before = dict(registry._estimators)
    yield
    for name in set(registry._estimators) - set(before):
        del registry._estimators[name]


def test_lists_are_axes_and_points_of_one_problem_stand_together(points):
    found = points(BASE)
    assert [(p.problem.dim, p.estimator, p.options.get("probes")) for p in found] == [
        (4, "sm_exact", None),
        (4, "ssm", 1),
        (4, "ssm", 4),
        (8, "sm_exact", None),
        (8, "ssm", 1),
        (8, "ssm", 4),
    ]


def test_a_point_has_every_option_and_scalar_filled_in(points):
    exact, sliced = points(BASE)[:2]
    assert dict(sliced.options) == {**estimators.get("ssm").options, "probes": 1}
    assert (sliced.order, sliced.dtype, sliced.device, sliced.threads, sliced.target) == (2, "float32", "cpu", 1, "sm")
    assert sliced.problem.width == 8 and sliced.problem.activation == "softplus" and sliced.problem.stage == "init"
    assert (exact.draws, sliced.draws) == (1, 32)


def test_the_probes_axis_is_for_estimators_that_have_probes_and_do_not_choose_their_own(points):
    text = BASE.replace("depth = 2", "depth = 2\nprobes = [2, 3]").replace("dim = [4, 8]", "dim = 4")
    assert [p.options.get("probes") for p in points(text)] == [None, 1, 4]
    text = text.replace(', { name = "ssm", probes = [1, 4] }', ', "ssm"')
    assert [p.options.get("probes") for p in points(text)] == [None, 2, 3]


def test_studies_share_what_stands_before_them(points):
    found = points("""\
[grid]
dim = 4
width = 8
data = "gaussian"

[[study]]
quantity = "score_matching"
estimators = ["ssm"]
measure.draws = 16

[[study]]
quantity = "directional"
estimators = ["nested_reverse"]
[study.grid]
dim = 8
order = [1, 3]
""")
    assert [(p.quantity, p.problem.dim, p.order, p.draws) for p in found] == [
        ("score_matching", 4, 2, 16),
        ("directional", 8, 1, 1),
        ("directional", 8, 3, 1),
    ]
    assert {p.problem.width for p in found} == {8}


def test_whole_numbers_and_floats_are_one_option(points):
    (found,) = points(
        BASE.replace('["sm_exact", { name = "ssm", probes = [1, 4] }]', '[{ name = "dsm", sigma = 1 }]').replace(
            "[4, 8]", "4"
        )
    )
    assert found.options["sigma"] == 1.0 and isinstance(found.options["sigma"], float)


def test_a_rule_skips_with_its_reason(points):
    loaded = points.sweep(
        BASE + '\n[[skip]]\nwhen = { estimator = "ssm", probes = ">= 2", dim = [8, 16] }\nreason = "too dear"\n'
    )
    assert len(loaded.points()) == 5
    ((skipped, reason),) = loaded.skips
    assert (skipped.estimator, skipped.problem.dim, skipped.options["probes"], reason) == ("ssm", 8, 4, "too dear")


def test_what_does_not_fit_at_some_points_is_skipped_with_a_reason(points):
    text = BASE.replace("probes = [1, 4]", 'probes = [1, 6], law = "orthonormal"')
    loaded = points.sweep(text)
    assert len(loaded.points()) == 5
    assert [(p.problem.dim, reason) for p, reason in loaded.skips] == [
        (4, "orthonormal probes: at most D = 4 of them; not 6")
    ]
    text = """\
quantity = "laplacian"
estimators = ["hutchinson", "hvp_loop"]
grid = { model = ["mlp", "quadratic"], dim = 4, width = 8, depth = [1, 2], data = "gaussian" }
"""
    loaded = points.sweep(text)
    assert len(loaded.points()) == 6  # a quadratic form has no depth: one problem, not two
    assert {reason for _, reason in loaded.skips} == {"model quadratic has no depth: the same problem as at depth 1"}


WRONG = {
    "key": ("dim = [4, 8]", "dims = [4, 8]", 6, "unknown key 'dims' in [grid]; did you mean 'dim'"),
    "top key": ("[measure]", "[mesure]", 12, "unknown key 'mesure' in a sweep; did you mean 'measure'"),
    "measure key": ("draws = 32", "drws = 32", 13, "unknown key 'drws' in [measure]; did you mean 'draws'"),
    "quantity": ('"score_matching"', '"score"', 2, "no quantity called 'score'; did you mean 'score_matching'"),
    "estimator": ('"sm_exact"', '"sm_exat"', 3, "no estimator called 'sm_exat'; did you mean 'sm_exact'"),
    "other quantity": (
        '"sm_exact"',
        '"hutchinson"',
        3,
        "hutchinson estimates laplacian; this study is of score_matching",
    ),
    "option": ("probes = [1", "probs = [1", 3, "ssm has no option 'probs'; did you mean 'probes'"),
    "option value": ("probes = [1, 4]", "probes = 0", 3, "option probes has to be a whole number >= 1; got 0"),
    "law": ("probes = [1, 4]", 'law = "gausian"', 3, "law has to be one of"),
    "option type": ("probes = [1, 4]", 'chunk = "two"', 3, "option chunk has to be a whole number >= 1"),
    "dim": ("dim = [4, 8]", "dim = [4, 0]", 6, "dim has to be a whole number >= 1; got 0"),
    "dim text": ("dim = [4, 8]", 'dim = "big"', 6, "dim has to be a whole number >= 1; got 'big'"),
    "depth": ("depth = 2", "depth = 0", 7, "depth has to be a whole number >= 1; got 0"),
    "width": ("width = 8", "width = true", 8, "width has to be a whole number >= 1; got True"),
    "batch": ("batch = 16", "batch = -1", 9, "batch has to be a whole number >= 1; got -1"),
    "model": ("batch = 16", 'batch = 16\nmodel = "mpl"', 10, "no model called 'mpl'; did you mean 'mlp'"),
    "data": ('"gaussian"', '"digts"', 10, "no data called 'digts'; did you mean 'digits'"),
    "activation": (
        "batch = 16",
        'activation = "sofplus"',
        9,
        "no activation called 'sofplus'; did you mean 'softplus'",
    ),
    "dtype": ("batch = 16", 'dtype = "float16"', 9, "dtype has to be one of float32, float64, bfloat16; got 'float16'"),
    "device": ("batch = 16", 'device = "gpu"', 9, "device has to be cpu, cuda or cuda:N; got 'gpu'"),
    "stage": ("batch = 16", 'stage = "trianed"', 9, "stage has to be one of init, trained; got 'trianed'"),
    "order": ("batch = 16", "order = 3", 9, "order of a score_matching has to be 2; got 3"),
    "draws": ("draws = 32", "draws = 40", 13, "draws has to be a multiple of 16; got 40"),
    "no draws": ("draws = 32", "draws = 0", 13, "draws has to be a multiple of 16; got 0"),
    "twice": ("dim = [4, 8]", "dim = [4, 8, 4]", 6, "dim names 4 twice"),
    "duplicate": ('["sm_exact"', '["sm_exact", "ssm"', 3, "duplicate point: ssm(probes=1"),
    "empty": ("dim = [4, 8]", "dim = []", 6, "dim is an empty list"),
    "no estimators": (
        'estimators = ["sm_exact", { name = "ssm", probes = [1, 4] }]',
        "",
        1,
        "the sweep has no estimators",
    ),
    "orthonormal": (
        "probes = [1, 4]",
        'probes = 9, law = "orthonormal"',
        3,
        "orthonormal probes: at most D = 4 of them; not 9",
    ),
    "toml": ("dim = [4, 8]", "dim = [4, 8", 7, "not valid TOML"),
    "rule": (
        "[measure]",
        '[[skip]]\nwhen = { dims = 4 }\nreason = "r"\n[measure]',
        12,
        "[[skip]] names unknown 'dims'",
    ),
    "no reason": ("[measure]", "[[skip]]\nwhen = { dim = 4 }\n[measure]", 12, "[[skip]] needs a reason"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_one_line_with_its_place(points, tmp_path, case):
    old, new, line, says = WRONG[case]
    assert BASE.count(old) >= 1
    with pytest.raises(SweepError) as caught:
        points(BASE.replace(old, new, 1))
    message = str(caught.value)
    assert says in message, message
    assert "\n" not in message
    assert message.startswith(f"{tmp_path}/sweep.toml:{line}: "), message


LAPLACIAN = """\
quantity = "laplacian"
estimators = ["hutchinson"]

[grid]
order = {order}
dim = 4
data = "gaussian"
"""


@pytest.mark.parametrize(
    ("order", "says"),
    [
        ("3", ":5: order of a laplacian has to be an even number >= 2; got 3"),
        ("[2, 3]", ":5: order of a laplacian has to be an even number >= 2; got 3"),
        ("4", "hutchinson does order 2; not 4"),
        ("[2, 4]", ":5: order 4 can run nowhere in this grid"),
    ],
)
def test_an_order_that_nothing_can_do_is_refused(points, order, says):
    with pytest.raises(SweepError) as caught:
        points(LAPLACIAN.replace("{order}", order))
    assert says in str(caught.value)


def test_an_unknown_sweep_gets_the_close_matches():
    with pytest.raises(SweepError, match="no sweep called 'quik'; did you mean 'quick'"):
        sweep.load("quik")
    with pytest.raises(SweepError, match="no sweep file at nowhere/quick.toml"):
        sweep.load("nowhere/quick.toml")


def test_a_plugins_estimator_joins_the_studies_of_its_quantity(points, tmp_path, forget):
    found = points(BASE, plugin(tmp_path, "mine"))
    assert [p.estimator for p in found if p.problem.dim == 4] == ["sm_exact", "ssm", "ssm", "mine"]
    with pytest.raises(SweepError, match=r"measures score_matching; the plugin has their_trace \(laplacian\)"):
        points(BASE, plugin(tmp_path, "their_trace", "laplacian"))


def test_a_plugins_model_joins_the_studies(points, tmp_path):
    from bench.problems import registry

    path = tmp_path / "mine.py"
    path.write_text(
        "import torch\nfrom bench import problems\n\n"
        "@problems.register('my_model', quantities=('score_matching',), dims=(4,))\n"
        "def build(spec, rows, generator):\n    return torch.nn.Linear(spec.dim, 1)\n"
    )
    try:
        loaded = points.sweep(BASE)
        found = loaded.points(problems=[path])
        assert [(p.problem.model, p.problem.dim) for p in found if p.estimator == "sm_exact"] == [
            ("mlp", 4),
            ("mlp", 8),
            ("my_model", 4),
        ]
        assert {reason for _, reason in loaded.skips} == {"model 'my_model' has dim 4; got 8"}
    finally:
        registry._models.pop("my_model", None)


def test_a_star_takes_all_others_of_the_quantity(points):
    found = points(BASE.replace('"sm_exact"', '"*"'))
    fitting = [n for n in estimators.names(quantity="score_matching") if estimators.get(n).needs in needs("mlp")]
    assert {p.estimator for p in found} == set(fitting)
    assert {p.options["probes"] for p in found if p.estimator == "ssm"} == {1, 4}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import nothing_like_this\n", "broken.py:1 does not import: ModuleNotFoundError: No module named"),
        ("x = 1\nraise ValueError('two\\nlines')\n", "broken.py:2 does not import: ValueError: two lines"),
        ("def f(:\n", "broken.py:1 does not import: SyntaxError"),
        ("x = 1\n", "broken.py registers nothing"),
        ("import sys\nsys.exit(3)\n", "broken.py:2 does not import: SystemExit: 3"),
    ],
)
def test_a_broken_plugin_is_one_line(points, tmp_path, text, says):
    path = tmp_path / "broken.py"
    path.write_text(text)
    with pytest.raises(SweepError) as caught:
        points(BASE, path)
    assert says in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", sweep.shipped())
def test_shipped_sweeps_expand(name):
    loaded = sweep.load(name)
    found = loaded.points()
    assert found and loaded.title != name
    assert len({p.to_json() for p in found}) == len(found)


def test_order_dimension_and_depth_reach_both_ends_and_have_an_exact_estimator_everywhere():
    order, dimension, depth = (sweep.load(name).points() for name in ("order", "dimension", "depth"))
    directional = [p for p in order if p.quantity == "directional"]
    for estimator in ("taylor", "finite_difference"):
        assert {p.order for p in directional if p.estimator == estimator} == set(range(1, 9))
    assert {p.order for p in order if p.quantity == "laplacian"} == {2, 4}
    for points in (order, dimension):
        assert min(p.problem.dim for p in points) == 2 and max(p.problem.dim for p in points) == 3072
    assert {p.problem.depth for p in depth} == {1, 2, 4, 8, 16, 32} and 32 in {p.problem.depth for p in directional}
    dims = {p.problem.dim for p in dimension}
    for estimator in ("sm_forward", "forward_laplacian", "taylor"):
        assert {p.problem.dim for p in dimension if p.estimator == estimator} == dims
    assert all(reason for name in ("order", "dimension", "depth") for _, reason in sweep.load(name).skips)


def test_smoke_and_quick_hold_what_they_promise():
    smoke, quick = sweep.load("smoke").points(), sweep.load("quick").points()
    assert len(smoke) <= 12 and {p.quantity for p in smoke} == {"score_matching", "laplacian", "directional"}
    assert len(quick) <= 100 and len({p.estimator for p in quick}) >= 12
    assert len({p.problem.dim for p in quick}) == 3 and len({p.problem.depth for p in quick}) == 2
    assert {p.order for p in quick if p.quantity == "directional"} == {1, 2, 3, 4}
    assert {p.problem.data for p in quick} == {"digits"}
