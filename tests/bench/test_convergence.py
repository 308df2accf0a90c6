"""What is recorded of an equilibrium's fixed point, and what its memory depends on: bytes are exact."""

import pytest
import torch

import estimators
from bench import problems
from bench.meters.convergence import convergence
from bench.meters.memory import allocator_peak_bytes
from bench.meters.subject import Subject
from bench.point import ProblemSpec
from estimators.equilibrium import solve


@pytest.fixture(scope="module")
def problem(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("ESTIMATOR_BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    spec = ProblemSpec(model="deq", dim=6, depth=4, width=12, batch=8)
    problems.prepare(spec)
    yield problems.build(spec, torch.float64)
    patch.undo()


def seen(problem, name, **options):
    return convergence(problem.model, len(problem.x), lambda model: estimators.get(name)(model, problem.x, **options))


def test_the_residual_and_the_applications_are_the_solvers_own(problem):
    own = solve(problem.model, problem.x)
    found = seen(problem, "deq_phantom")
    assert found.solver_applications == own.applications
    assert found.residual <= own.residual <= 16 * torch.finfo(torch.float64).eps


def test_a_fixed_point_left_early_shows_its_residual(problem):
    early = [seen(problem, "deq_phantom", tolerance=0.0, iterations=n) for n in (5, 10)]
    assert [found.solver_applications for found in early] == [5, 10]
    assert 1e-8 < early[1].residual < early[0].residual / 4 and early[0].residual > 1e-4
    unrolled = seen(problem, "deq_unrolled", steps=10)
    assert unrolled.solver_applications == 0 and early[1].residual < unrolled.residual < early[0].residual


def test_watching_leaves_the_model_as_it_was(problem):
    seen(problem, "deq_exact")
    assert "layer" not in vars(problem.model)


def peak(problem, name, **options):
    subject = Subject(estimators.get(name), problem, 2, options)
    subject.step(None)
    return allocator_peak_bytes(lambda: subject.step(None), "cpu")


def test_phantom_memory_does_not_depend_on_how_often_the_solver_applied_the_layer_and_unrolled_memory_does(problem):
    phantom = {peak(problem, "deq_phantom", tolerance=0.0, iterations=n) for n in (8, 64, 256)}
    assert len(phantom) == 1
    few, some, many = (peak(problem, "deq_unrolled", steps=n) for n in (8, 16, 24))
    assert many - some == some - few > 0


@pytest.mark.parametrize("model", ["deq_frobenius", "deq_linear_frobenius"])
@pytest.mark.parametrize("stage", ["init", "trained"])
def test_the_frobenius_norm_bounds_a_contraction_far_smaller(problem, model, stage):
    """‖W‖_F·sup|φ′| = depth/(depth + 1), exactly at init; ‖W‖₂ is under 0.7 of it at width 12, on average 2/√12."""
    spec = ProblemSpec(model=model, dim=5, depth=3, width=12, batch=6, stage=stage)
    problems.prepare(spec)
    built = problems.build(spec).model
    inner, slope = built.inner.detach(), getattr(built, "largest_slope", 1.0)
    norm = float(torch.linalg.matrix_norm(inner)) * slope
    assert norm == pytest.approx(0.75) if stage == "init" else norm <= 0.75 + 1e-12
    assert float(torch.linalg.matrix_norm(inner, 2)) * slope < 0.7 * 0.75


def test_equilibria_with_kinks_are_refused_in_every_family():
    for model in ("deq", "deq_linear", "deq_frobenius", "deq_linear_frobenius"):
        with pytest.raises(ValueError, match="needs a smooth activation"):
            problems.check(ProblemSpec(model=model, activation="relu"))
