"""Each claim's rule on hand-made rows: a world where the paper is right, one where it is wrong, one in between."""

from __future__ import annotations

import pytest

from bench.claims import claims, entries_of_rows
from bench.point import Point
from tests.bench.test_claims import MEASURED, row


def bias(relative: float) -> dict:
    """A gradient bias with no interval."""
    return {"grad_bias": relative, "grad_bias_low": relative, "grad_bias_high": relative}


def time(seconds: float) -> dict:
    return {"time_samples": [seconds] * 15, "time_step_s": seconds}


def noise(std: float) -> dict:
    return {"grad_std": std, "grad_rmse": std}


def accurate_where(holds):
    """Gradients within a thousandth where it holds, and off by half elsewhere."""
    return lambda at: bias(0.001 if holds(at) else 0.5)


def noisy(names, std: float, holds=lambda at: True):
    """These estimators have this std where it holds; all others, and they elsewhere, have 1."""
    return lambda at: noise(std if at.estimator in names and holds(at) else 1.0)


def everywhere(at: Point) -> bool:
    return True


def nowhere(at: Point) -> bool:
    return False


def trained(at: Point) -> bool:
    return at.problem.stage == "trained"


def steps(fast: float, names: tuple[str, ...], other: float = 1.0, **columns):
    return lambda at: time(fast if at.estimator in names else other) | columns


def speedup(seconds: float, peak: int):
    """Objectives by derivatives against finite differences, which take one second and a thousand bytes."""
    derivatives = ("ssm", "dsm")
    return lambda at: (
        time(seconds if at.estimator in derivatives else 1.0)
        | {"peak_step_bytes": peak if at.estimator in derivatives else 1000}
    )


def truncation(orders: tuple[float, float]):
    return lambda at: bias(at.options["eps"] ** orders[at.options["extra"]])


def growth(differences, nested, seconds: float):
    """Operations by order, and the time of nested differentiation where finite differences take one second."""

    def columns(at: Point) -> dict:
        flops = {"finite_difference": differences, "nested_reverse": nested}.get(at.estimator, lambda order: order)
        return {"flops_step": flops(at.order)} | time(seconds if at.estimator == "nested_reverse" else 1.0)

    return columns


def cheapest(ssm: float, taylor: float, error: float):
    return lambda at: time({"ssm": ssm, "taylor_ssm": taylor}.get(at.estimator, 1.0)) | bias(error)


def composite(seconds: float, error: float):
    return lambda at: time(1.0) if at.estimator != "csm" else time(seconds) | bias(error)


def projections(not_trained: float, when_trained: float):
    """Seconds of four projections, which halve the noise of one; batches have half of that."""

    def columns(at: Point) -> dict:
        four = at.options["probes"] == 4
        return noise(0.5 if four else 1.0) | time((when_trained if trained(at) else not_trained) if four else 1.0)

    return columns


def denoising(not_trained: float, when_trained: float):
    """The error of denoising where a sliced gradient has 1."""
    return lambda at: noise((when_trained if trained(at) else not_trained) if at.estimator == "dsm" else 1.0)


def levels(holds):
    return lambda at: noise(10.0 if at.options["sigma"] == 0.03 and holds(at) else 1.0)


def collapsed(nested: float, standard: float, peak: int):
    seconds = {"forward_laplacian": 1.0, "hvp_vmap": nested, "taylor_laplacian": standard}
    return lambda at: (
        time(seconds[at.estimator]) | {"peak_step_bytes": peak if at.estimator == "taylor_laplacian" else 1000}
    )


def exact_laplacian(seconds):
    return lambda at: noise(0.05) | time(seconds(at) if at.estimator == "forward_laplacian" else 1.0)


def passes(products: float, random: float):
    """Seconds of Hessian-vector products and of D/4 probes where the forward Laplacian takes one."""
    seconds = {"forward_laplacian": 1.0, "hvp_vmap": products, "hutchinson": random}
    return lambda at: time(seconds[at.estimator])


def memory(phantom: int, unrolled: int):
    """Peaks in powers of the depth."""
    return lambda at: {"peak_step_bytes": at.problem.depth ** (phantom if at.estimator == "deq_phantom" else unrolled)}


def two_steps(gradient: float, value: float, else_: float):
    """Errors with two phantom steps, and with other numbers of them, which are told but decide nothing."""

    def columns(at: Point) -> dict:
        two = at.options["steps"] == 2
        return bias(gradient if two else else_) | {"value_bias": value if two else else_}

    return columns


def flow(likelihood: int, score: int, seconds: float):
    """Exponents of operations in D, and the likelihood's time where score matching takes one second."""
    return lambda at: (
        {"flops_step": at.problem.dim ** (likelihood if at.estimator == "mle" else score)}
        | time(seconds if at.estimator == "mle" else 1.0)
    )


def small(at: Point) -> bool:
    return at.problem.dim == 64


def one_way_or_the_other(name: str):
    """Half of Hutchinson's noise where trained, twice as much elsewhere."""
    return lambda at: noise((0.5 if trained(at) else 2.0) if at.estimator == name else 1.0)


RIGHT, WRONG, BETWEEN = "reproduced", "not reproduced", "reproduced in part"
WORLDS = {
    "any_eps": (accurate_where(everywhere), accurate_where(nowhere), accurate_where(small)),
    "published_eps": (accurate_where(everywhere), accurate_where(nowhere), accurate_where(small)),
    "any_order": (accurate_where(everywhere), accurate_where(nowhere), accurate_where(lambda at: at.order == 2)),
    "composite_cheaper": (composite(0.5, 1e-8), composite(2.0, 0.01), composite(0.5, 0.01)),
    "sliced_speedup": (speedup(2.4, 2000), speedup(1.6, 1000), speedup(2.4, 1000)),
    "denoising_speedup": (speedup(1.4, 2000), speedup(1.3, 1000), speedup(1.3, 2000)),
    "denoising_projection": (
        steps(2.0, ("dsm",)),
        lambda at: steps(2.0, ("dsm",))(at) | noisy(("fd_dsm",), 3.0)(at),
        lambda at: steps(2.0, ("dsm",))(at) | noisy(("fd_dsm",), 3.0, trained)(at),
    ),
    "denoising_sigma": (levels(everywhere), levels(nowhere), levels(trained)),
    "finite_differences_cheapest": (cheapest(2.0, 2.0, 0.01), cheapest(1.0, 0.9, 0.06), cheapest(2.0, 0.9, 0.01)),
    "hessian_free_trace": (
        noisy((), 1.0),
        lambda at: {"grad_rmse": 50.0 if at.options.get("form") == "one_sided" else 1.0},  # noise or bias
        None,
    ),
    "one_projection": (projections(4.0, 4.0), projections(1.05, 1.05), projections(4.0, 1.05)),
    "sliced_against_denoising": (
        noisy(("dsm",), 9.0),
        noisy(("ssm",), 9.0),
        denoising(9.0, 0.1),
    ),
    "variance_reduction": (
        noisy(("ssm_vr",), 0.5),
        noisy(("ssm_vr",), 2.0),
        lambda at: noise((0.5 if at.options["law"] == "gaussian" else 2.0) if at.estimator == "ssm_vr" else 1.0),
    ),
    "error_orders": (truncation((2, 4)), truncation((1, 1)), truncation((4, 4))),
    "linear_in_order": (
        growth(lambda order: order + 1, lambda order: 2**order, 10.0),
        growth(lambda order: (order + 1) ** 2, lambda order: order, 1.0),
        growth(lambda order: order + 1, lambda order: order**4, 10.0),  # a power, which is not exponential
    ),
    "collapsed_twice_as_fast": (collapsed(2.0, 2.0, 2000), collapsed(1.5, 1.5, 1500), collapsed(1.5, 2.0, 2000)),
    "hutchpp_gradient": (noisy(("hutchpp",), 0.5), noisy(("hutchpp",), 2.0), one_way_or_the_other("hutchpp")),
    "xtrace_gradient": (noisy(("xtrace",), 0.5), noisy(("xtrace",), 2.0), one_way_or_the_other("xtrace")),
    "probes_against_exact": (
        exact_laplacian(lambda at: 2.0),
        exact_laplacian(lambda at: 0.5),
        exact_laplacian(lambda at: at.problem.dim / 100),
    ),
    "forward_laplacian_break_even": (passes(3.0, 0.6), passes(1.0, 0.25), passes(3.0, 0.25)),
    "constant_memory": (memory(0, 1), memory(1, 1), memory(0, 0)),
    "two_phantom_steps": (
        two_steps(0.001, 0.001, else_=0.5),
        two_steps(0.5, 0.5, else_=0.001),
        two_steps(0.5, 0.001, else_=0.001),
    ),
    "faster_per_step": (
        steps(2.0, ("mle",)),
        steps(0.5, ("mle",)),
        lambda at: time({"mle": 2.0, "ssm": 3.0}.get(at.estimator, 1.0)),
    ),
    "quadratic_against_cubic": (flow(3, 2, 2.0), flow(2, 3, 0.5), flow(3, 2, 0.5)),
}
UNTESTABLE = {"parallel_evaluations"}
CASES = [
    pytest.param(claim, world, word, id=f"{claim.name}-{word}")
    for claim in MEASURED
    for world, word in zip(WORLDS.get(claim.name, (None,) * 3), (RIGHT, WRONG, BETWEEN), strict=True)
    if world is not None
]


def test_every_rule_has_its_worlds():
    assert set(WORLDS) | UNTESTABLE == {claim.name for claim in MEASURED}


@pytest.mark.parametrize("seconds", [1.0, 3.0])
def test_what_stands_in_for_a_gpu_decides_nothing(seconds):
    claim = claims()["parallel_evaluations"]
    found = entries_of_rows([claim], [row(at, **time(seconds if at.order == 6 else 1.0)) for at in claim.points()])[0]
    assert (found.verdict.word, found.verdict.number) == ("cannot be tested here", pytest.approx(seconds))


@pytest.mark.parametrize(("claim", "world", "word"), CASES)
def test_the_rule_gives_its_word(claim, world, word):
    entry = entries_of_rows([claim], [row(at, **world(at)) for at in claim.points()])[0]
    assert entry.verdict.word == word, [(f.what, str(f.figure), f.asked, f.holds) for f in entry.verdict.findings]
