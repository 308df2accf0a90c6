"""Properties of every call: shape, dtype, determinism, no side effects, no graph where none is wanted."""

from __future__ import annotations

import torch
from torch import Tensor

from estimators.testing.subject import NotApplicable, Subject


def shape_and_dtype(subject: Subject) -> str:
    """(B,), finite, in the dtype of x; the same probes in float32 as in float64."""
    for case64, case32 in zip(subject.cases(torch.float64), subject.cases(torch.float32), strict=True):
        value64, value32 = subject.call(case64).detach(), subject.call(case32).detach()
        for value, case in ((value64, case64), (value32, case32)):
            given = (
                f"{case.label}: x is {tuple(case.x.shape)} {case.x.dtype}, returned {tuple(value.shape)} {value.dtype}"
            )
            assert value.shape == case.x.shape[:1] and value.dtype == case.x.dtype, given
            assert torch.isfinite(value).all(), f"{case.label}: not finite in {case.x.dtype}"
        if subject.estimator.bias != "vanishing":  # a step chosen by dtype is another estimate
            error = float((value32.double() - value64).norm() / value64.norm().clamp_min(1e-2))
            assert error < 1e-2, f"{case64.label}: float32 is {error:.1e} off float64 under one seed: other probes?"
    return ""


def deterministic(subject: Subject) -> str:
    """Equal generator states give equal values, whatever the global random state."""
    for case in subject.cases():
        first = subject.call(case, seed=3)
        state = torch.get_rng_state()
        torch.manual_seed(12345)
        second = subject.call(case, seed=3)
        torch.set_rng_state(state)
        difference = _largest(first - second)
        assert difference == 0, f"{case.label}: two calls under one seed differ by {difference:.1e}"
    return ""


def leaves_everything_untouched(subject: Subject) -> str:
    """Inputs, parameters and their .grad, the global random state, threads, default dtype and gradient mode."""
    for case in subject.cases():
        sentinel = [torch.full_like(p, 0.25) for p in case.parameters]
        for p, g in zip(case.parameters, sentinel, strict=True):
            p.grad = g
        tensors = {"x": case.x, **({"v": case.v} if subject.estimator.quantity == "directional" else {})}
        before = {name: (t.clone(), t._version) for name, t in (*tensors.items(), *case.model.named_parameters())}
        state = (torch.get_rng_state(), torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled())
        subject.call(case)
        for name, t in (*tensors.items(), *case.model.named_parameters()):
            changed = t._version != before[name][1] or not torch.equal(t, before[name][0])
            assert not changed, f"{case.label}: changed {name}"
        for name, t in tensors.items():
            assert not t.requires_grad and t.grad is None, f"{case.label}: {name} came back requiring gradients"
        for p, g in zip(case.parameters, sentinel, strict=True):
            assert p.requires_grad, f"{case.label}: a parameter no longer requires gradients"
            assert p.grad is g and bool((g == 0.25).all()), f"{case.label}: changed a parameter's .grad"
        assert torch.equal(torch.get_rng_state(), state[0]), f"{case.label}: drew from the global random state"
        assert torch.get_num_threads() == state[1], f"{case.label}: changed the number of threads"
        assert torch.get_default_dtype() == state[2], f"{case.label}: changed the default dtype"
        assert torch.is_grad_enabled() == state[3], f"{case.label}: changed the gradient mode"
    return ""


def no_grad_agrees(subject: Subject) -> str:
    """Under no_grad the same value without a graph; else a graph to the parameters."""
    dependent = False
    for case in subject.cases():
        with_graph = subject.call(case)
        try:
            with torch.no_grad():
                without = subject.call(case)
        except RuntimeError as raised:
            raise AssertionError(
                f"{case.label}: under no_grad it raised {type(raised).__name__}: {raised}; take derivatives of x under "
                "torch.enable_grad(), and give back a detached value where gradients were off"
            ) from raised
        assert not without.requires_grad, f"{case.label}: under no_grad the result carries a graph"
        error = _largest(with_graph.detach() - without)
        assert error <= 1e-9 * (1 + _largest(without)), f"{case.label}: under no_grad the value differs by {error:.1e}"
        dependent = dependent or with_graph.requires_grad
    assert dependent, "no result is differentiable in the parameters: a graph is missing"
    return ""


def refuses_column_values(subject: Subject) -> str:
    """A function that returns (B, 1) would broadcast to (B, B): it has to be refused."""
    if subject.estimator.needs != "function":
        raise NotApplicable(f"needs {subject.estimator.needs}, not a function")
    case = next(iter(subject.cases()))
    try:
        subject.call(case, model=lambda x: case.model.log_density(x).unsqueeze(-1))
    except ValueError:
        return ""
    raise AssertionError("a function returning (B, 1) has to be refused with a ValueError; it was accepted")


def _largest(t: Tensor) -> float:
    return float(t.detach().abs().max())
