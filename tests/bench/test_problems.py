"""Problems: the same in every dtype and process, of order one at every depth, refused where impossible."""

import subprocess
import sys

import pytest
import torch

from bench import problems
from bench.exact import forward_laplacian
from bench.exact.gradient import exact_gradient
from bench.point import ProblemSpec
from bench.problems import training
from bench.problems.build import content
from bench.problems.gaussian_mixture import GaussianMixture


@pytest.fixture(autouse=True, scope="module")
def cache_folder(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("ESTIMATOR_BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


def built(dtype=torch.float64, **values):
    spec = ProblemSpec(**values)
    problems.prepare(spec)
    return problems.build(spec, dtype)


def dimension(model):
    """A small one that the family has."""
    dims = problems.MODELS[model].dims
    return 6 if dims is None or 6 in dims else min(dims)


def source(model):
    """One that the family can be on."""
    return (problems.MODELS[model].data or ("digits",))[0]


@pytest.mark.parametrize("model", sorted(problems.MODELS))
def test_float32_problem_is_the_float64_problem_rounded(model):
    sizes = {"model": model, "data": source(model), "dim": dimension(model), "depth": 2, "width": 8, "batch": 5}
    single, double = built(torch.float32, **sizes), built(**sizes)
    pairs = [(single.x, double.x), (single.v, double.v)]
    pairs += list(zip(single.parameters, double.parameters, strict=True))
    assert all(a.dtype == torch.float32 and torch.equal(a, b.to(torch.float32)) for a, b in pairs)


def test_building_leaves_the_global_random_state_alone():
    before = torch.random.get_rng_state()
    built(dim=6, width=8)
    assert torch.equal(before, torch.random.get_rng_state())


def test_seed_decides_and_batch_changes_neither_model_nor_first_rows():
    small, large = built(dim=6, width=8, batch=5), built(dim=6, width=8, batch=40)
    other = built(dim=6, width=8, batch=5, seed=1)
    assert torch.equal(small.x, large.x[:5]) and torch.equal(small.v, large.v[:5])
    assert all(torch.equal(a, b) for a, b in zip(small.parameters, large.parameters, strict=True))
    assert not torch.equal(small.x, other.x) and not torch.equal(small.parameters[0], other.parameters[0])


def test_directions_are_unit_vectors():
    v = built(dim=6, width=8, batch=5).v
    torch.testing.assert_close(torch.linalg.vector_norm(v, dim=-1), torch.ones(5, dtype=torch.float64))


def test_building_in_a_worker_never_imports_scikit_learn():
    problems.prepare(ProblemSpec(dim=6, width=8, stage="trained"))
    code = (
        "import sys; from bench import problems; from bench.point import ProblemSpec\n"
        "problems.prepare(ProblemSpec(dim=6, width=8, stage='trained'))\n"
        "problems.build(ProblemSpec(dim=6, width=8, stage='trained'))\n"
        "assert not [m for m in sys.modules if m.startswith('sklearn')], 'scikit-learn was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_building_before_preparing_says_what_to_call(monkeypatch, tmp_path):
    monkeypatch.setenv("ESTIMATOR_BENCH_CACHE", str(tmp_path))
    with pytest.raises(LookupError, match="call bench.problems.prepare"):
        problems.build(ProblemSpec())
    problems.prepare(ProblemSpec(data="gaussian"))
    with pytest.raises(LookupError, match="no trained parameters"):
        problems.build(ProblemSpec(data="gaussian", stage="trained"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": "mpl"}, "no model called 'mpl'; did you mean 'mlp'"),
        ({"data": "digit"}, "no data called 'digit'; did you mean 'digits'"),
        ({"activation": "softplos"}, "no activation called 'softplos'; did you mean 'softplus'"),
        ({"stage": "half"}, "stage has to be one of init, trained; got 'half'"),
        ({"dim": 0}, "dim has to be a whole number >= 1; got 0"),
        ({"dim": 2.0}, "dim has to be a whole number >= 1; got 2.0"),
        ({"depth": 0}, "depth has to be a whole number >= 1; got 0"),
        ({"width": -1}, "width has to be a whole number >= 1; got -1"),
        ({"batch": 0}, "batch has to be a whole number >= 1; got 0"),
        ({"seed": -1}, "seed has to be a whole number >= 0; got -1"),
        ({"residual": "yes"}, "residual has to be true or false; got 'yes'"),
        ({"dim": 4000}, "data 'digits' has dim 1…3072; got 4000"),
    ],
)
def test_impossible_specifications_are_refused_in_one_clear_line(values, message):
    with pytest.raises(ValueError) as refusal:
        problems.check(ProblemSpec(**values))
    assert message in str(refusal.value) and "\n" not in str(refusal.value)


def root_mean_squares(problem):
    """Of ‖∇f‖ and Δf over the batch; Δf in more than 64 dimensions from 64 directions (exactly unbiased, std < 0.2)."""
    generator = torch.Generator().manual_seed(0)
    dim, x = problem.spec.dim, problem.x.clone().requires_grad_(True)
    signs = torch.randint(0, 2, (dim, 64), generator=generator).double() * 2 - 1
    (slope,) = torch.autograd.grad(problem.model.log_density(x).sum(), x)
    with torch.no_grad():
        directions = signs / 8 if dim > 64 else torch.eye(dim, dtype=torch.float64)
        pushed = forward_laplacian.push(problem.model.layers, problem.x, directions)
    return float(slope.square().sum(-1).mean().sqrt()), float(pushed.laplacian.square().mean().sqrt())


@pytest.mark.parametrize("activation", ["softplus", "tanh", "silu", "gelu"])
@pytest.mark.parametrize("dim", [2, 16, 64, 784])
def test_score_and_curvature_are_of_order_one_at_every_depth(activation, dim):
    """Root mean squares over a batch of 128, depths 1 to 32: ‖∇f‖ one by construction, Δf in [0.25, 3.5]."""
    for depth in (1, 2, 4, 8, 16, 32) if dim < 784 else (1, 4, 32):
        slope, curvature = root_mean_squares(built(dim=dim, depth=depth, activation=activation))
        assert slope == pytest.approx(1.0, rel=1e-9), depth
        assert 0.25 < curvature < 3.5, (depth, curvature)


@pytest.mark.parametrize("activation", ["softplus", "tanh", "silu", "gelu"])
def test_residual_networks_are_of_order_one_at_every_depth(activation):
    for depth in (2, 8, 32):
        problem = built(dim=64, depth=depth, activation=activation, residual=True)
        slope, curvature = root_mean_squares(problem)
        assert slope == pytest.approx(1.0, rel=1e-9) and 0.25 < curvature < 2.0, (depth, slope, curvature)


@pytest.mark.parametrize("activation", ["softplus", "tanh", "silu", "gelu"])
def test_vector_fields_are_of_order_one_at_every_depth(activation):
    """Root mean squares over 32 rows: ‖s‖ in [0.5, 2.5], tr ∂s/∂x in [0.4, 3.5], at depths from 1 to 32."""
    for dim, depth in ((2, 1), (2, 32), (64, 1), (64, 8), (64, 32), (784, 2)):
        problem = built(model="score_mlp", dim=dim, depth=depth, activation=activation, batch=32)
        with torch.no_grad():
            norm = problem.model.score(problem.x).square().sum(-1)
            trace = forward_laplacian.score_matching_of_field(problem.model.layers, problem.x) - 0.5 * norm
        slope, size = float(norm.mean().sqrt()), float(trace.square().mean().sqrt())
        assert 0.5 < slope < 2.5 and 0.4 < size < 3.5, (dim, depth, slope, size)


def test_default_initialisation_would_fail_the_scale_test():
    """A softplus network of torch's own initialisation at depth 32: the score has vanished."""
    problem = built(dim=64, depth=32, batch=32)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for layer in problem.model.layers:
            if isinstance(layer, torch.nn.Linear):
                layer.reset_parameters()
    assert root_mean_squares(problem)[0] < 1e-6


ENERGIES = sorted(m for m in problems.MODELS if problems.quantities(m) != ("log_likelihood",))  # encoders learn a score


@pytest.mark.parametrize("model", ENERGIES)
def test_training_lowers_the_exact_objective_and_is_kept(model):
    large = dimension(model) > 6
    sizes = {"model": model, "data": source(model), "dim": dimension(model)}
    sizes |= {"depth": 1, "width": 8, "batch": 8} if large else {"depth": 2, "width": 16, "batch": 32}
    initial, trained = built(**sizes), built(**sizes, stage="trained")
    before, after = (float(exact_gradient(p.model, "score_matching", 2, p.x)[0].mean()) for p in (initial, trained))
    assert after < before
    again = problems.build(ProblemSpec(**sizes, stage="trained"))
    assert all(torch.equal(a, b) for a, b in zip(trained.parameters, again.parameters, strict=True))
    assert training.load(content(ProblemSpec(**sizes, stage="trained"))) is not None


def test_what_a_model_does_not_read_does_not_change_it():
    assert problems.canonical(ProblemSpec(model="gaussian", depth=4, width=3)) == problems.canonical(
        ProblemSpec(model="gaussian", depth=2, activation="tanh")
    )
    assert problems.canonical(ProblemSpec(depth=4)) == ProblemSpec(depth=4)


def test_models_say_what_they_serve():
    assert problems.quantities("score_mlp") == ("score_matching",)
    assert "log_likelihood" in problems.quantities("gaussian") and "layers" in problems.needs("mlp")
    with pytest.raises(ValueError, match="no model called"):
        problems.quantities("perceptron")


def test_far_modes_differ_in_mean_square_of_the_score_and_nowhere_else():
    """For p± of η = 10⁻³, R = 10³ the scores differ by ηR² = 1000 in mean square under p₊, by 0 at its 99.8 % quantile.

    The mean is exact over the modes: weight η at +R, where the scores differ by R up to rounding.
    """
    eta, far = 1e-3, 1e3

    def mixture(sign):
        logits = torch.tensor([1 - eta, eta], dtype=torch.float64).log()
        means = torch.tensor([[0.0], [sign * far]], dtype=torch.float64)
        return GaussianMixture(logits, means, torch.zeros(2, 1, dtype=torch.float64))

    def score(model, x):
        x = x.clone().requires_grad_(True)
        return torch.autograd.grad(model.log_density(x).sum(), x)[0]

    near = torch.linspace(-3, 3, 61, dtype=torch.float64).unsqueeze(-1)
    difference = lambda x: (score(mixture(1.0), x) - score(mixture(-1.0), x)).square().sum(-1)  # noqa: E731
    assert difference(near).max() == 0.0
    assert eta * float(difference(near + far).mean()) == pytest.approx(1000, rel=0.01)


def test_training_a_deep_network_lowers_the_objective_too():
    sizes = {"dim": 8, "depth": 32, "width": 32, "activation": "silu"}
    initial, trained = built(**sizes), built(**sizes, stage="trained")
    before, after = (float(exact_gradient(p.model, "score_matching", 2, p.x)[0].mean()) for p in (initial, trained))
    assert after < before - 0.5
