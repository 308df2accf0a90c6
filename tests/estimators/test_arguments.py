"""Bad input gives a ValueError that names the argument, what was given and what is allowed."""

import pytest
import torch

import estimators


def f(x):
    return (x**2).sum(-1)


X = torch.ones(2, 3)
G = torch.Generator()


@pytest.mark.parametrize(
    ("name", "call", "message"),
    [
        ("ssm", lambda e: e(f, torch.ones(3), generator=G), r"x has to have shape \(B, D\).*got \(3,\)"),
        ("ssm", lambda e: e(f, torch.ones(0, 3), generator=G), r"got \(0, 3\)"),
        ("ssm", lambda e: e(f, torch.ones(2, 3, dtype=torch.int64), generator=G), "floating-point.*got torch.int64"),
        ("ssm", lambda e: e(f, [[1.0]], generator=G), "floating-point tensor.*got list"),
        ("ssm", lambda e: e(f, X), "ssm is stochastic: generator has to be a torch.Generator"),
        ("ssm", lambda e: e(f, X, generator=0), "got 0"),
        ("ssm", lambda e: e(f, X, generator=G, prob=1), r"ssm has no option 'prob'; did you mean 'probes'\?"),
        ("ssm", lambda e: e(f, X, generator=G, probes=0), "option probes has to be a whole number >= 1; got 0"),
        ("ssm", lambda e: e(f, X, generator=G, probes=1.5), "got 1.5"),
        ("ssm", lambda e: e(f, X, generator=G, probes=True), "got True"),
        ("ssm", lambda e: e(f, X, generator=G, law="cauchy"), "option law has to be one of rademacher, .*got 'cauchy'"),
        (
            "ssm",
            lambda e: e(f, X, generator=G, law="orthonormal", probes=4),
            "at most D = 3 for law 'orthonormal'; got 4",
        ),
        ("ssm", lambda e: e(f, X, X, generator=G), "further positional"),
        ("ssm", lambda e: e(f, X, generator=G, order=3), "order of ssm has to be one of 2; got 3"),
        ("ssm", lambda e: e(lambda x: x, X, generator=G), r"f has to map \(2, 3\) to \(2,\)"),
        ("fd_ssm", lambda e: e(f, X, generator=G, eps=-0.1), "eps has to be a finite number > 0, or None; got -0.1"),
        ("fd_ssm", lambda e: e(f, X, generator=G, eps=float("nan")), "got nan"),
        ("fd_ssm", lambda e: e(lambda x: f(x)[:, None], X, generator=G), r"one value a row; it returned \(6, 1\)"),
        ("dsm", lambda e: e(f, X, generator=G, sigma=0), "option sigma has to be a finite number > 0; got 0"),
        ("dsm", lambda e: e(f, X, generator=G, sigma=None), "option sigma has to be a finite number > 0; got None"),
        ("hutchinson", lambda e: e(f, X, order=4, generator=G), "order of hutchinson has to be one of 2; got 4"),
        ("hutchinson", lambda e: e(f, X, order=2, generator=G, chunk=0), "option chunk has to be .*, or None; got 0"),
        ("nested_reverse", lambda e: e(f, X, X), "order of nested_reverse has to be any whole number >= 1; got None"),
        ("nested_reverse", lambda e: e(f, X, X, order=0), "got 0"),
        ("nested_reverse", lambda e: e(f, X, order=1), "got 0 direction tensors"),
        ("nested_reverse", lambda e: e(f, X, X[:1], order=1), r"v has to have the shape of x, \(2, 3\); got \(1, 3\)"),
        ("nested_reverse", lambda e: e(f, X, X.double(), order=1), "v has to be torch.float32 on cpu"),
        (
            "finite_difference",
            lambda e: e(f, X, X, order=1, extra=-1),
            "option extra has to be a whole number >= 0; got -1",
        ),
    ],
)
def test_refusals(name, call, message):
    with pytest.raises(ValueError, match=message):
        call(estimators.get(name))


def test_the_order_may_be_left_out_where_there_is_only_one():
    value = estimators.get("hvp_loop")(f, X)
    assert torch.equal(value, torch.full((2,), 6.0))


def test_deterministic_estimators_accept_a_generator():
    assert estimators.get("hvp_loop")(f, X, order=2, generator=G).shape == (2,)


@pytest.mark.parametrize("name", estimators.names())
def test_the_result_is_checked(name, monkeypatch):
    """An estimator that returns another shape is named."""
    import dataclasses

    est = dataclasses.replace(estimators.get(name), function=lambda *a, **k: torch.zeros(7), needs="function")
    directions = (X,) if est.quantity == "directional" else ()
    order = (
        {"order": 1 if est.orders == "any" else est.orders[0]} if est.quantity in ("directional", "laplacian") else {}
    )
    with pytest.raises(ValueError, match=rf"{name} has to return a tensor of shape \(2,\); it returned \(7,\)"):
        est(f, X, *directions, generator=G, **order)


def test_words_of_equilibrium_estimators_mean_what_they_like_elsewhere(monkeypatch):
    """A third party's ``solver`` or ``tolerance`` is its own; the words common to all are checked for it too."""
    monkeypatch.setattr(estimators.registry, "_estimators", dict(estimators.registry._estimators))
    seen = {}

    @estimators.register("fresh", quantity="laplacian")
    def fresh(f, x, *, order, eps=0.1, solver="cg", tolerance=-1.0, steps=0, damping=2, iterations=0, terms=0):
        seen.update(solver=solver, tolerance=tolerance, steps=steps, damping=damping, iterations=iterations)
        return f(x)

    given = {"solver": "lbfgs", "tolerance": -2.0, "steps": 0, "damping": 3, "iterations": 0}
    estimators.get("fresh")(f, torch.zeros(2, 3), order=2, terms=0, **given)
    assert seen == given
    with pytest.raises(ValueError, match="option eps has to be"):
        estimators.get("fresh")(f, torch.zeros(2, 3), order=2, eps=-1.0)
