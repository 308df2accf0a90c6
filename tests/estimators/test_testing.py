"""The battery itself: wrong estimators have to fail, and say how."""

import pytest
import torch

import estimators
from estimators import probes as probe_laws
from estimators import registry, testing


@pytest.fixture
def register(monkeypatch):
    """`register` into a copy of the registry that is thrown away afterwards."""
    monkeypatch.setattr(registry, "_estimators", dict(registry._estimators))
    return estimators.register


def _grad(y, x, create_graph=True):
    return torch.autograd.grad(y.sum(), x, create_graph=create_graph, materialize_grads=True)[0]


def _sliced(score, x, v):
    grad = torch.is_grad_enabled()
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        p = (score(x) * v).sum(-1)
        result = 0.5 * p**2 + (_grad(p, x) * v).sum(-1)
    return result if grad else result.detach()


def test_the_unwrong_version_passes(register):
    @register("fine", quantity="score_matching", needs="score")
    def fine(score, x, *, generator):
        return _sliced(score, x, probe_laws.draw("rademacher", 1, x, generator)[0])

    assert "unbiased" in testing.check(fine).passed


def test_derivatives_that_need_gradients_switched_on_are_told_how(register):
    @register("needs_grad", quantity="score_matching", needs="score")
    def needs_grad(score, x):
        x = x.detach().requires_grad_(True)
        return 0.5 * (score(x) ** 2).sum(-1) + sum(_grad(score(x)[:, i], x)[:, i] for i in range(x.shape[1]))

    with pytest.raises(AssertionError, match=r"no_grad_agrees: .*under no_grad it raised.*torch.enable_grad\(\)"):
        testing.check(needs_grad)


def test_unit_norm_probes_are_a_scale_of_one_over_d(register):
    @register("unit_norm", quantity="score_matching", needs="score")
    def unit_norm(score, x, *, generator):
        v = probe_laws.draw("sphere", 1, x, generator)[0] / x.shape[1] ** 0.5
        return _sliced(score, x, v)

    with pytest.raises(AssertionError, match=r"unbiased: .*scale 1/D"):
        testing.check(unit_norm)


def test_unit_norm_probes_beside_the_exact_square_are_a_scale_of_the_trace(register):
    @register("unit_norm_vr", quantity="score_matching", needs="score")
    def unit_norm_vr(score, x, *, generator):
        v = probe_laws.draw("sphere", 1, x, generator)[0] / x.shape[1] ** 0.5
        square = 0.5 * (score(x) ** 2).sum(-1)
        return square + _sliced(score, x, v) - 0.5 * ((score(x) * v).sum(-1)) ** 2

    with pytest.raises(AssertionError, match=r"unbiased: .*scale 1/D of the trace and 1 of the square"):
        testing.check(unit_norm_vr)


def test_a_gradient_that_is_no_sum_of_the_two_terms_gets_no_scale(register):
    @register("another", quantity="score_matching", needs="score")
    def another(score, x, *, generator):
        return (score(x) ** 4).sum(-1)

    with pytest.raises(AssertionError, match=r"unbiased: .*its cosine with the exact") as caught:
        testing.check(another)
    assert "scale" not in str(caught.value)


def test_the_sigma_to_the_fourth_of_published_denoising(register):
    @register("published_dsm", quantity="score_matching", needs="score", target="dsm")
    def published_dsm(score, x, *, generator, sigma=0.5):
        z = probe_laws.draw("gaussian", 1, x, generator)[0]
        return 0.5 * ((sigma**2 * score(x + sigma * z) + sigma * z) ** 2).sum(-1)

    with pytest.raises(AssertionError, match=r"unbiased: .*scale σ⁴"):
        testing.check(published_dsm)


def test_missing_d_over_b_of_sampled_coordinates(register):
    @register("no_factor", quantity="laplacian")
    def no_factor(f, x, *, order, generator):
        v = probe_laws.draw("coordinate", 1, x, generator)[0] / x.shape[1] ** 0.5  # e_i, and no factor D
        grad = torch.is_grad_enabled()
        with torch.enable_grad():
            x = x.detach().requires_grad_(True)
            result = (_grad((_grad(f(x), x) * v).sum(-1), x) * v).sum(-1)
        return result if grad else result.detach()

    with pytest.raises(AssertionError, match=r"scale 1/D"):
        testing.check(no_factor)


def test_wrong_sign(register):
    @register("wrong_sign", quantity="laplacian")
    def wrong_sign(f, x, *, order):
        return -estimators.get("hvp_loop")(f, x, order=2)

    with pytest.raises(AssertionError, match=r"scale -1"):
        testing.check(wrong_sign)


def test_a_right_value_with_a_wrong_gradient(register):
    """Losses alone would pass this one: the trace is detached."""

    @register("detached_trace", quantity="score_matching", needs="score")
    def detached_trace(score, x):
        exact = estimators.get("sm_exact").function(score, x)
        half = 0.5 * (score(x) ** 2).sum(-1)
        return (exact - half).detach() + half

    with pytest.raises(AssertionError, match=r"unbiased: .*mean θ-gradient is off"):
        testing.check(detached_trace)


def test_rademacher_at_order_four(register):
    """Rademacher/3 converges to Δ²f − (2/3) Σ ∂_i⁴ f."""

    @register("rademacher_biharmonic", quantity="laplacian", orders=(4,))
    def rademacher_biharmonic(f, x, *, order, generator):
        v = probe_laws.draw("rademacher", 1, x, generator)[0]
        return estimators.get("nested_reverse")(f, x, v, order=4) / 3

    with pytest.raises(AssertionError, match=r"unbiased: "):
        testing.check(rademacher_biharmonic)

    @register("gaussian_biharmonic", quantity="laplacian", orders=(4,))
    def gaussian_biharmonic(f, x, *, order, generator):
        v = probe_laws.draw("gaussian", 1, x, generator)[0]
        return estimators.get("nested_reverse")(f, x, v, order=4) / 3

    testing.check(gaussian_biharmonic)


def test_a_wrong_bias_order(register):
    @register("one_sided", quantity="directional", orders=(1,), bias="vanishing", step="eps", bias_order=2)
    def one_sided(f, x, v, *, order, eps=1e-3):
        return (f(x + eps * v) - f(x)) / eps

    with pytest.raises(AssertionError, match=r"bias_order: .*power [01]\.\d\d of eps; declared 2"):
        testing.check(one_sided)


def test_a_pair_with_other_probes(register):
    @register("fd_rademacher", quantity="score_matching", bias="vanishing", step="eps", bias_order=2, pair="ssm")
    def fd_rademacher(f, x, *, generator, eps=0.01):
        return estimators.get("fd_ssm")(f, x, generator=generator, eps=eps, law="gaussian")

    with pytest.raises(AssertionError, match=r"same_probes_as_pair: .*do not draw the same probes"):
        testing.check(fd_rademacher)


@pytest.mark.parametrize(
    ("name", "sin", "message"),
    [
        ("global_random", lambda x, params: torch.randn(1).item() * 0, "global random state"),
        ("threads", lambda x, params: torch.set_num_threads(torch.get_num_threads() + 1) or 0, "number of threads"),
        ("in_place", lambda x, params: x.add_(1.0).sum() * 0, "changed x"),
        ("requires_grad", lambda x, params: x.requires_grad_(True).sum() * 0, "requiring gradients"),
        ("grad_mode", lambda x, params: torch.set_grad_enabled(False).prev * 0, "gradient mode"),
    ],
)
def test_side_effects(register, name, sin, message):
    @register(name, quantity="laplacian")
    def sinner(f, x, *, order):
        value = estimators.get("hvp_loop")(f, x, order=2)
        return value + sin(x, None)

    threads = torch.get_num_threads()
    try:
        with pytest.raises(AssertionError, match=rf"leaves_everything_untouched: .*{message}"):
            testing.check(sinner, only=("leaves_everything_untouched",))
    finally:
        torch.set_num_threads(threads)
        torch.set_grad_enabled(True)


def test_a_broadcast_column_is_seen(register):
    @register("broadcasts", quantity="laplacian", needs="score")
    def broadcasts(score, x, *, order):
        return (score(x).sum(-1, keepdim=True) * torch.ones_like(x)).mean(1)

    accepting = registry.get("broadcasts")
    object.__setattr__(accepting, "needs", "function")  # then it has to refuse a column
    with pytest.raises(AssertionError):
        testing.check(accepting)


def test_the_report_reads_well_and_unknown_properties_are_refused():
    report = testing.check("ssm")
    assert "holds    unbiased" in str(report) and "skipped" in str(report)
    with pytest.raises(ValueError, match="no property called 'unbaised'"):
        testing.check("ssm", only=("unbaised",))
    with pytest.raises(KeyError, match="no estimator called"):
        testing.check("smm")


def test_the_battery_itself_leaves_the_global_state_alone():
    state = torch.get_rng_state()
    testing.check("fd_ssm")
    assert torch.equal(torch.get_rng_state(), state)
