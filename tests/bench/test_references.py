"""Exact references: routes agree, gradients match numeric differences, the cache gives back what was put."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

import estimators
from bench import problems, references
from bench.exact.gradient import exact_gradient, serving
from bench.point import ProblemSpec
from bench.problems.energy import LayeredEnergy


@pytest.fixture(autouse=True, scope="module")
def cache_folder(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("ESTIMATOR_BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


IMAGES = (64, 196, 784, 3072)


def small(model, **changes):
    values = {"data": "digits", "dim": 5, "depth": 3, "width": 7, "batch": 6}
    return ProblemSpec(model=model, **{**values, **changes})


def cases():
    orders = [("directional", t) for t in (1, 2, 3, 4)] + [("laplacian", 2), ("laplacian", 4), ("score_matching", 2)]
    orders.append(("log_likelihood", 0))
    for name, family in problems.MODELS.items():
        for quantity, order in orders:
            if quantity in family.quantities and (order < 4 or not (quantity == "laplacian" and family.dims == IMAGES)):
                yield name, quantity, order


@pytest.mark.parametrize(("model", "quantity", "order"), list(cases()))
def test_routes_agree_in_value_and_gradient(model, quantity, order):
    dim = 2 if (quantity, order) == ("laplacian", 4) else 5
    images = problems.MODELS[model].dims == IMAGES
    spec = small(model, batch=2, dim=64, width=8, depth=2) if images else small(model, batch=4, dim=dim)
    spec = replace(spec, data=(problems.MODELS[model].data or (spec.data,))[0])
    problems.prepare(spec)
    problem = problems.build(spec)
    routes = serving(problem.model, quantity, order)
    assert len(routes) >= 2
    first, *others = (exact_gradient(problem.model, quantity, order, problem.x, problem.v, r) for r in routes)
    for value, gradients in others:
        torch.testing.assert_close(value, first[0], rtol=1e-9, atol=1e-9 * float(first[0].norm()))
        for a, b in zip(gradients, first[1], strict=True):
            assert (a - b).norm() <= 1e-9 * (1e-3 + b.norm())


@pytest.mark.parametrize("depth", [1, 3])
def test_composite_score_matching_is_had_by_two_routes_and_needs_no_separate_leaf(depth):
    """D gradients and D dual numbers, to 1e-9; and the estimator, which takes all from one pass."""
    spec = small("made", depth=depth)
    reverse, forward = (
        references.compute(spec, "score_matching", target="csm", route=r) for r in ("reverse", "forward")
    )
    torch.testing.assert_close(reverse.value, forward.value, rtol=1e-9, atol=1e-12)
    assert (reverse.gradient - forward.gradient).norm() <= 1e-9 * reverse.gradient.norm()
    assert references.compute(spec, "score_matching", target="csm").route == "reverse"
    problem = problems.build(spec)
    value = estimators.get("csm")(problem.model, problem.x)
    gradient = torch.cat([g.reshape(-1) for g in torch.autograd.grad(value.mean(), problem.parameters)])
    torch.testing.assert_close(value.detach(), reverse.value, rtol=1e-10, atol=1e-12)
    assert (gradient - reverse.gradient).norm() <= 1e-10 * reverse.gradient.norm()


@pytest.mark.parametrize("activation", ["softplus", "tanh", "silu", "gelu", "elu", "relu"])
@pytest.mark.parametrize("model", ["mlp", "score_mlp", "ridge"])
@pytest.mark.parametrize("residual", [False, True])
def test_routes_agree_for_every_activation(model, activation, residual):
    spec = small(model, activation=activation, residual=residual)
    problems.prepare(spec)
    problem = problems.build(spec)
    wanted = [("score_matching", 2)] + ([("directional", 4)] if model != "score_mlp" else [])
    for quantity, order in wanted:
        results = [
            exact_gradient(problem.model, quantity, order, problem.x, problem.v, route)
            for route in serving(problem.model, quantity, order)
        ]
        for value, gradients in results[1:]:
            assert (value - results[0][0]).norm() <= 1e-9 * results[0][0].norm()
            for a, b in zip(gradients, results[0][1], strict=True):
                assert (a - b).norm() <= 1e-9 * (1.0 + b.norm())


def test_more_dimensions_than_units_uses_gram_matrix_and_survives_rank_deficient_first_weight():
    spec = small("mlp", dim=12, width=5)
    problems.prepare(spec)
    problem = problems.build(spec)
    with torch.no_grad():
        weight = problem.model.layers[0].weight
        weight[1] = weight[0]
        weight[2] = 0.0
    fast = exact_gradient(problem.model, "score_matching", 2, problem.x, route="by_layers")
    slow = exact_gradient(problem.model, "score_matching", 2, problem.x, route="reverse")
    torch.testing.assert_close(fast[0], slow[0], rtol=1e-10, atol=1e-12)
    for a, b in zip(fast[1], slow[1], strict=True):
        assert torch.isfinite(a).all()
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("layer", [nn.Softplus(beta=2.0), nn.GELU(approximate="tanh"), nn.Mish()], ids=str)
def test_layers_that_the_formulas_do_not_know_are_left_to_reverse_mode(layer):
    """An activation with settings of its own is another function than its default: no route by layers, none wrong."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LayeredEnergy(nn.Sequential(nn.Linear(3, 4), layer, nn.Linear(4, 1)).double())
    x = torch.linspace(-1, 1, 6, dtype=torch.float64).view(2, 3)
    for quantity, order in (("score_matching", 2), ("laplacian", 2), ("laplacian", 4), ("directional", 3)):
        assert "by_layers" not in serving(model, quantity, order)
    value, _ = exact_gradient(model, "laplacian", 2, x)
    hessians = torch.func.vmap(torch.func.hessian(lambda row: model.log_density(row[None])[0]))(x)
    torch.testing.assert_close(value, hessians.diagonal(dim1=-2, dim2=-1).sum(-1))


def test_gradient_is_the_numeric_derivative_of_the_mean_value():
    spec = small("mlp")
    problems.prepare(spec)
    problem = problems.build(spec)
    _, gradients = exact_gradient(problem.model, "score_matching", 2, problem.x)
    step, weight = 1e-5, problem.model.layers[2].weight
    for i, j in ((0, 0), (3, 5)):
        means = []
        for sign in (1, -1):
            with torch.no_grad():
                weight[i, j] += sign * step
            means.append(exact_gradient(problem.model, "score_matching", 2, problem.x)[0].mean())
            with torch.no_grad():
                weight[i, j] -= sign * step
        numeric = (means[0] - means[1]) / (2 * step)
        assert abs(numeric - gradients[2][i, j]) < 1e-7 * (1 + abs(numeric))


def test_gaussian_score_matching_is_the_textbook_formula():
    spec = small("gaussian", dim=4, batch=8)
    reference = references.compute(spec, "score_matching")
    problem = problems.build(spec)
    precision = problem.model.factor @ problem.model.factor.T
    s = -(problem.x - problem.model.mean) @ precision
    torch.testing.assert_close(reference.value, (0.5 * s.square().sum(-1) - precision.trace()).detach())
    mean_gradient = reference.gradient[:4]  # ∂/∂μ of mean ½‖P(x − μ)‖² is −P²(x̄ − μ)
    torch.testing.assert_close(
        mean_gradient, (-(problem.x - problem.model.mean).mean(0) @ precision @ precision).detach()
    )


def test_gaussian_log_likelihood_is_that_of_torch_distributions():
    spec = small("gaussian", dim=4, batch=8)
    reference = references.compute(spec, "log_likelihood")
    problem = problems.build(spec)
    factor = problem.model.factor.detach()
    normal = torch.distributions.MultivariateNormal(problem.model.mean.detach(), precision_matrix=factor @ factor.T)
    torch.testing.assert_close(reference.value, -normal.log_prob(problem.x))
    assert reference.label == "exact mle"


def test_minibatch_std_is_that_of_the_mean_of_rows_drawn_afresh():
    """Within 35 %: with 16 groups the estimate's own relative error is about 1/√30 = 18 %; seeds are fixed."""
    spec = small("mlp", data="gaussian", batch=64)
    reference = references.compute(spec, "score_matching")
    problem = problems.build(spec)
    generator = torch.Generator().manual_seed(1)
    rows = torch.randn(64 * 40, 5, dtype=torch.float64, generator=generator)
    batches = [
        torch.cat([g.reshape(-1) for g in exact_gradient(problem.model, "score_matching", 2, b)[1]])
        for b in rows.split(64)
    ]
    stacked = torch.stack(batches)
    spread = (stacked - stacked.mean(0)).square().sum(-1).mean().sqrt() / stacked.mean(0).norm()
    assert reference.minibatch_std == pytest.approx(float(spread), rel=0.35)


def test_minibatch_std_is_unknown_from_one_row():
    assert math.isnan(references.compute(small("mlp", batch=1), "score_matching").minibatch_std)


def test_labels_say_what_a_row_is_held_against():
    assert references.compute(small("mlp"), "score_matching").label == "exact sm"
    dsm = references.load_or_compute(small("mlp"), "score_matching", target="dsm")
    assert "clean data" in dsm.label and "O(σ²)" in dsm.label


def test_cache_gives_back_the_same_and_recomputes_damaged_files(monkeypatch, tmp_path):
    monkeypatch.setenv("ESTIMATOR_BENCH_CACHE", str(tmp_path))
    spec = small("mlp", data="gaussian")
    first = references.load_or_compute(spec, "score_matching")
    (path,) = (tmp_path / "references").glob("*.npz")
    monkeypatch.setattr("bench.references.reference.compute", None)  # a second computation would raise
    again = references.load_or_compute(spec, "score_matching")
    assert torch.equal(first.value, again.value) and torch.equal(first.gradient, again.gradient)
    assert (again.minibatch_std, again.label, again.route) == (first.minibatch_std, first.label, first.route)
    monkeypatch.undo()
    monkeypatch.setenv("ESTIMATOR_BENCH_CACHE", str(tmp_path))
    path.write_bytes(path.read_bytes()[:100])
    assert torch.equal(references.load_or_compute(spec, "score_matching").gradient, first.gradient)


def test_unknown_quantity_and_target_are_refused():
    with pytest.raises(ValueError, match="quantity has to be one of"):
        references.compute(small("mlp"), "trace")
    with pytest.raises(ValueError, match="target of laplacian"):
        references.compute(small("mlp"), "laplacian", 2, "sm")
    with pytest.raises(NotImplementedError, match="offers score_matching"):
        references.compute(small("score_mlp"), "laplacian")
