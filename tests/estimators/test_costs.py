"""What estimators declare to cost, against counted operations and tracked bytes, as D, depth, T, M and width grow."""

import itertools
import math

import pytest
import torch
from torch import nn

import estimators
from bench.meters.flops import count
from bench.meters.prediction import Tracking
from estimators.cost import Cost, Expression, with_symbols

ROWS = 32
# Built-in ones that do without a declaration, and why; take a name off when it gets one.
ITERATED = "applications of a layer, as many as its contraction and the data ask for: no size or option says how many"
UNDECLARED = {
    **dict.fromkeys(("deq_exact", "deq_neumann", "deq_phantom", "deq_unrolled", "deq_phantom_ssm"), ITERATED),
    "deq_phantom_directional": ITERATED,
    **dict.fromkeys(
        ("pinn_exact", "pinn_squared", "pinn_two_halves"),
        "through a residual of the model's own, whose other derivatives no count of passes describes",
    ),
    "mle": "log-determinants of D × D layers cost D³ a batch: no number of passes, which are counted a row",
}
LAYERED = ("function", "score", "layers")
DECLARED = [n for n in estimators.names() if estimators.get(n).cost and estimators.get(n).needs in LAYERED]
STEPS = pytest.mark.parametrize("step", [False, True], ids=["value", "step"])
# Beyond the defaults: options that a declaration names.
OPTIONS = {
    "complex_contour": [{"points": 8}],
    "fd_laplacian": [{"extra": 1}],
    "finite_difference": [{"extra": 2}],
    "hvp_loop": [{"recompute": False}],
    "richardson": [{"levels": 3}],
    "sm_exact": [{"recompute": True}],
    "stein_trace": [{"form": "one_sided"}],
    "taylor_trace": [{"form": "one_sided"}, {"form": "richardson"}],
    "taylor_trace_sm": [{"form": "one_sided"}, {"form": "richardson"}],
}
PROBES = {"hutchpp": 3, "xtrace": 4}  # what the number of probes has to be a multiple of


class Layered(nn.Module):
    """Hidden layers of one width."""

    def __init__(self, dim, depth, width, outputs):
        super().__init__()
        sizes = (dim, *[width] * depth)
        layers = [m for a, b in itertools.pairwise(sizes) for m in (nn.Linear(a, b), nn.Softplus())]
        self.layers = nn.Sequential(*layers, nn.Linear(width, outputs))


class LogDensity(Layered):
    def __init__(self, dim, depth, width):
        super().__init__(dim, depth, width, 1)

    def log_density(self, x):
        return self.layers(x).squeeze(-1)


class VectorField(Layered):
    def __init__(self, dim, depth, width):
        super().__init__(dim, depth, width, dim)

    def score(self, x):
        return self.layers(x)


def call(name, *, D=6, L=3, W=8, T=None, rows=2, step=True, field=False, **options):
    """The estimator on a net of these sizes, as a function without arguments, and what the expressions read there."""
    est, model, x = estimators.get(name), (VectorField if field else LogDensity)(D, L, W), torch.randn(rows, D)
    order = T or (2 if est.orders == "any" else est.orders[-1])
    keywords = {"order": order} if est.quantity in ("directional", "laplacian") else {}
    directions = (torch.ones_like(x),) if est.quantity == "directional" else ()

    def run():
        generator = torch.Generator().manual_seed(0)
        with torch.set_grad_enabled(step):
            values = est(model, x, *directions, generator=generator, **keywords, **options)
        if step:
            return torch.autograd.grad(values.mean(), tuple(model.parameters()), allow_unused=True)
        return values

    sizes = {"D": D, "L": L, "W": W, "T": order, "s": 1 if field else 2}
    return run, {**sizes, **with_symbols({**est.options, **options})}, (x, *directions, *model.parameters())


def counted_passes(name, step, **sizes):
    """FLOPs that one more hidden layer costs, in units of its own product, and what is declared for them.

    Between layers of one width every pass does the same work, so the count is a whole number and has to be met exactly.
    """
    depth, rows, width = 3, 2, sizes.setdefault("W", 8)
    flops = [count(call(name, step=step, L=d, rows=rows, **sizes)[0]) for d in (depth, depth + 1, depth + 2)]
    assert flops[2] - flops[1] == flops[1] - flops[0], "work is not linear in depth"
    _, read, _ = call(name, step=step, L=depth, rows=rows, **sizes)
    cost = estimators.get(name).cost
    declared = (cost.step_passes if step else cost.passes).at(**read)
    return (flops[1] - flops[0]) / (2 * rows * width**2), declared


def held(name, step, **sizes):
    """Numbers held at the peak, a row, as the prediction of memory tracks them, and what is declared for them."""
    run, read, inputs = call(name, step=step, rows=ROWS, **sizes)
    tracking = Tracking(block_bytes=1)
    for tensor in inputs:
        tracking.ignore(tensor)
    with tracking:
        run()
    cost = estimators.get(name).cost
    return tracking.peak / 4 / ROWS, (cost.step_memory if step else cost.memory).at(**read)


def cases():
    """(name, sizes and options): every axis that moves a cost, and every option that a declaration names."""
    for name in DECLARED:
        est = estimators.get(name)
        m, some = PROBES.get(name, 1), next((o for o in ("probes", "samples") if o in est.options), None)
        yield name, {}
        yield name, {"D": 19}
        if some:
            yield from ((name, {some: m * k}) for k in (2, 3))
        if est.quantity == "directional":
            yield from ((name, {"T": order}) for order in range(1, 5) if est.supports(order))
        yield from ((name, options) for options in OPTIONS.get(name, ()))


@STEPS
@pytest.mark.parametrize(("name", "sizes"), list(cases()), ids=lambda v: v if isinstance(v, str) else str(v))
def test_passes_are_those_declared(name, sizes, step):
    counted, declared = counted_passes(name, step, **sizes)
    assert counted == pytest.approx(declared, rel=1e-9)


@STEPS
@pytest.mark.parametrize("name", [n for n in DECLARED if estimators.get(n).needs == "score"])
def test_passes_through_a_vector_field(name, step):
    counted, declared = counted_passes(name, step, field=True)
    assert counted == pytest.approx(declared, rel=1e-9)


def growths(name):
    """(axis, sizes before, sizes after): each axis doubled where what it multiplies is large, D on both sides of W."""
    est, m = estimators.get(name), PROBES.get(name, 1)
    base = {"D": 8, "L": 2, "W": 16}
    some = next((o for o in ("probes", "samples") if o in est.options), None)
    if some:
        base[some] = 2 * m if m == 1 else m
    axes = [("D", 8, 16), ("D", 24, 48), ("L", 4, 8), ("W", 32, 64)]
    axes += [(some, 4 * m if m == 1 else 2 * m, 8 * m if m == 1 else 4 * m)] if some else []
    axes += [("T", 3, 5)] if est.orders == "any" else []
    return [(axis, {**base, axis: a}, {**base, axis: b}) for axis, a, b in axes]


@STEPS
@pytest.mark.parametrize("name", DECLARED)
def test_memory_grows_as_declared(name, step):
    """The growth over a doubling, in powers of two, within 0.4: a power more or less of any axis is off by one."""
    wrong = {}
    for axis, before, after in growths(name):
        (held_before, said_before), (held_after, said_after) = (held(name, step, **s) for s in (before, after))
        difference = math.log2(held_after / held_before) - math.log2(said_after / said_before)
        if abs(difference) > 0.4:
            grows, said = held_after / held_before, said_after / said_before
            wrong[axis] = f"from {before[axis]} to {after[axis]} times {grows:.2f}, declared {said:.2f}"
    assert not wrong


def test_every_estimator_built_in_declares_its_cost():
    lacking = {n for n in estimators.names() if estimators.get(n).origin == "estimators" and not estimators.get(n).cost}
    assert lacking == set(UNDECLARED), "declare cost=Cost(...), or keep the name and the reason on the list above"


def test_published_cost_model_of_score_matching():
    """Step FLOPs in units of one evaluation and its gradient: FD-SSM 3 and FD-DSM 2; SSM 4."""
    unit = Cost("1", memory="1", step_memory="1").step_passes.at()
    declared = {n: counted_passes(n, True)[0] / unit for n in ("fd_ssm", "fd_dsm", "ssm", "dsm")}
    assert declared == {"fd_ssm": 3, "fd_dsm": 2, "ssm": 4, "dsm": 2}


@pytest.mark.parametrize(
    ("text", "sizes", "value"),
    [
        ("2 M + 1", {"M": 3}, 7),
        ("3/2 (D + 1)(D + 2) + 2", {"D": 4}, 47),
        ("2 3^T + 2^T", {"T": 3}, 62),
        ("min(chunk, D) L·W − 1", {"chunk": None, "D": 3, "L": 2, "W": 5}, 29),
        ("M (2 - [form = one_sided])", {"M": 3, "form": "one_sided"}, 3),
        ("[recompute] 2 + 1", {"recompute": False}, 1),
        ("s ceil(T/4)", {"s": 2, "T": 5}, 4),
    ],
)
def test_expressions_read_like_mathematics(text, sizes, value):
    assert Expression(text).at(**sizes) == value
    assert str(Expression(text)) == text


@pytest.mark.parametrize("text", ["1/(D - 2)", "min", "min M", "form W"])
def test_expressions_without_a_value_are_named(text):
    with pytest.raises(ValueError, match="passes .* has no value at D = 2"):
        Cost(text, memory="1", step_memory="1").check({"form": "antithetic", "probes": 1}, (2,))


@pytest.mark.parametrize("text", ["", "2 M +", "D $ 2", "(D", "D)", "O'D'", "[a b]", "D L +* W"])
def test_nonsense_is_no_expression(text):
    with pytest.raises(ValueError, match="is no expression"):
        Expression(text)


@pytest.mark.parametrize(
    ("cost", "message"),
    [
        ("O(D)", r"fresh: cost has to be an estimators.Cost; got 'O\(D\)'"),
        (
            Cost("2 Q", memory="W", step_memory="L W"),
            r"fresh: cost: passes '2 Q' reads 'Q'; allowed are D, L, T, W, s, eps",
        ),
        (Cost("2 M", memory="W", step_memory="L W"), "reads 'M'; allowed are D, L"),
        (Cost("2", memory="[form] W", step_memory="L W"), "memory .* reads 'form'"),
        (Cost("D - 4", memory="W", step_memory="L W"), r"passes 'D - 4' comes to -2.0 at D = 2"),
        (Cost("2", memory="eps W", step_memory="L W"), "memory 'eps W' comes to inf"),
    ],
)
def test_a_wrong_declaration_is_refused(cost, message, monkeypatch):
    monkeypatch.setattr(estimators.registry, "_estimators", dict(estimators.registry._estimators))
    with pytest.raises(ValueError, match=message):

        @estimators.register("fresh", quantity="laplacian", cost=cost)
        def fresh(f, x, *, order, eps=None): ...
