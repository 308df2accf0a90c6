"""The accuracy of the parameter gradient, and of the values, against an exact float64 reference.

Draw k of an estimator uses the generator seed k of its problem, so every estimator, its pair and its float64 twin see
the same probes. Two routes to the bias: *direct*, the mean of the draws against the reference; and *paired*, the mean
difference from an unbiased estimator on the same probes, which cancels the probe noise and sees biases far below it.

A reference of noised rows (`Reference.noise`) is met by draws at noised rows: draw k has its own noise, the same for
every estimator; there is no pair then, since what a pair is unbiased for is the objective without its kinks.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

import estimators
from bench.meters.subject import Subject, generator
from bench.problems.problem import Problem
from bench.references import Reference
from bench.statistics.blocks import BlockSums

BUILT_IN = "estimators"
SAME_CONSTANT = ("exact", "sm", "csm", "mle", "smoothed", "residual")
PAIRED_MUST_BE_BELOW = 0.2  # of either's standard deviation, else the difference cancels nothing
MANY_PARAMETERS = 1_000_000  # beyond this, half the blocks: they are float64 vectors of that length
ROUNDING_DRAWS = 4
ENTRIES_AT_ONCE = 2**16  # of gradients kept before they are added up: half a megabyte
NOISED_DRAWS = 64
ROW_NOISE = 500_009  # from a draw's seed to that of its rows' noise


class NotFinite(Exception):
    """A draw that is not finite; the message says which and how much of it."""


def draw_seed(problem: Problem, k: int) -> int:
    """The generator seed of draw k, the same for every estimator on a problem."""
    return 1_000_003 * (problem.spec.seed + 1) + k


def accuracy(
    subject: Subject, twin: Subject, reference: Reference, draws: int, noised: Reference | None = None
) -> dict[str, Any]:
    """Bias, spread and rounding of ∇θ of the batch mean and of the values, relative to the exact ones.

    Args:
        subject: the estimator on the problem in the row's dtype.
        twin: the same on the same problem in float64.
        reference: the exact values (B,) and gradient (P,).
        draws: how many gradient draws of a stochastic estimator; a deterministic one has a single value.
        noised: for denoising, exact score matching at rows noised alike, which by Stein's identity has its gradient.

    Returns:
        The row's accuracy columns, those against ``noised`` (``noised_reference``, ``noised_grad_bias``, ``…_low``,
        ``…_high``, ``noised_bias_resolved``, ``noised_reference_error``), and ``kernel_s``, seconds spent in the draws
        themselves.

    Raises:
        NotFinite: a draw's value or gradient is not finite.
    """
    stochastic = subject.estimator.stochastic or reference.noise > 0
    draws = draws if stochastic else 1
    if reference.noise and not subject.estimator.stochastic:
        draws = max(draws, NOISED_DRAWS)  # points of a sweep ask for one
    blocks = 16 if reference.gradient.numel() > MANY_PARAMETERS else 32
    gradients = BlockSums(reference.gradient, draws, blocks)
    values = BlockSums(reference.value, draws)
    pair = _pair(twin) if subject.estimator.stochastic and not reference.noise else None
    differences = None if pair is None else BlockSums(reference.gradient, draws, blocks)
    rounded: list[float] = []  # of the first draws, ‖ĝ − ĝ₆₄‖²
    kernel_s = 0.0

    def timed_step(drawn: Subject, seed: int) -> tuple[Tensor, tuple[Tensor | None, ...]]:
        nonlocal kernel_s
        started = time.perf_counter()
        result = drawn.step(generator(seed))
        kernel_s += time.perf_counter() - started
        return result

    at_once = max(1, min(draws, ENTRIES_AT_ONCE // max(1, reference.gradient.numel())))
    for first in range(0, draws, at_once):
        drawn_values, drawn_gradients, pairs = [], [], []
        for k in range(first, min(draws, first + at_once)):
            seed = draw_seed(subject.problem, k)
            value, gradient = timed_step(at_noised_rows(subject, reference.noise, k), seed)
            drawn_values.append(value)
            drawn_gradients.append(gradient)
            if pair is not None:
                pairs.append(timed_step(pair, seed)[1])
            if k < ROUNDING_DRAWS and subject.problem.x.dtype != torch.float64:
                _, unrounded = timed_step(at_noised_rows(twin, reference.noise, k), seed)
                off = subject.flat_gradient(gradient) - twin.flat_gradient(unrounded)
                rounded.append(float(torch.sum(off**2)))
        few_values = torch.stack(drawn_values).to("cpu", torch.float64)
        few_gradients = subject.flat_gradients(drawn_gradients)
        good = few_values.isfinite().all(1) & few_gradients.isfinite().all(1)
        if not good.all():
            bad = int(good.long().argmin())
            raise NotFinite(f"draw {first + bad + 1} of {draws}: {finite(few_values[bad], few_gradients[bad])}")
        values.extend(few_values)
        gradients.extend(few_gradients)
        if pair is not None and differences is not None:
            differences.extend(few_gradients, pair.flat_gradients(pairs))
    std = gradients.std() if stochastic else 0.0
    columns = {
        "reference": reference.label,
        "grad_std": std,
        "grad_cosine": gradients.cosine(),
        "grad_rounding": _rounding(subject, rounded, gradients.norm, std),
        **(_value_columns(values, subject) if not reference.noise else {}),
        **({"reference_error": reference.error, "row_noise": reference.noise} if reference.error else {}),
        "draws": draws,
        "minibatch_std": reference.minibatch_std,
        "kernel_s": kernel_s,
        **({"grad_convergence": gradients.convergence()} if stochastic else {}),
    }
    if not stochastic:
        error = gradients.rmse()
        return columns | {
            "grad_bias": error,
            "grad_bias_low": error,
            "grad_bias_high": error,
            "bias_resolved": error > 0,
            "bias_route": "deterministic",
            "grad_rmse": error,
        }
    if differences is not None and differences.std() < PAIRED_MUST_BE_BELOW * std:
        route, bias = "paired", differences.bias()
    else:
        route, bias = "direct", gradients.bias().blurred(reference.error)
    if noised is not None:
        columns |= _against_noised(gradients, noised)
    return columns | {
        "grad_bias": bias.bias,
        "grad_bias_low": bias.low,
        "grad_bias_high": bias.high,
        "bias_resolved": bias.resolved,
        "bias_route": route,
        "grad_rmse": math.hypot(bias.bias, std),
    }


def _against_noised(gradients: BlockSums, noised: Reference) -> dict[str, Any]:
    bias = gradients.bias_from(noised.gradient).blurred(noised.error)
    return {
        "noised_reference": noised.label,
        "noised_reference_error": noised.error,
        "noised_grad_bias": bias.bias,
        "noised_grad_bias_low": bias.low,
        "noised_grad_bias_high": bias.high,
        "noised_bias_resolved": bias.resolved,
    }


def at_noised_rows(subject: Subject, noise: float, k: int) -> Subject:
    """The subject at x + σz, z the k-th of its problem; itself without noise."""
    if not noise:
        return subject
    problem = subject.problem
    z = torch.randn(problem.x.shape, dtype=torch.float64, generator=generator(draw_seed(problem, k) + ROW_NOISE))
    return replace(subject, problem=replace(problem, x=problem.x + noise * z.to(problem.x)))


def _value_columns(values: BlockSums, subject: Subject) -> dict[str, Any]:
    """Bias and spread of the per-row values; nothing where the objective has another constant than the reference."""
    if subject.estimator.target not in SAME_CONSTANT:
        return {}
    if not subject.estimator.stochastic:
        return {"value_bias": values.rmse(), "value_std": 0.0}
    return {"value_bias": values.bias_estimate(), "value_std": values.std()}


def _pair(twin: Subject) -> Subject | None:
    """The declared pair, in float64, with the options the two share by name."""
    name = twin.estimator.pair
    if name is None:
        return None
    pair = estimators.get(name)
    shared = {option: value for option, value in twin.options.items() if option in pair.options}
    return Subject(pair, twin.problem, twin.order, shared)


def _rounding(subject: Subject, squares: list[float], scale: float, std: float) -> float | None:
    """‖ĝ − ĝ₆₄‖/‖g‖, the same draws in the row's dtype and in float64, root mean square.

    None in float64, and where a stranger's estimator draws probes of its own that differ between dtypes.
    """
    if not squares:
        return None
    rounding = math.sqrt(sum(squares) / len(squares)) / scale
    if subject.estimator.origin != BUILT_IN and subject.estimator.stochastic and rounding > PAIRED_MUST_BE_BELOW * std:
        return None
    return rounding


def finite(*tensors: Tensor | None) -> str | None:
    """What is not finite, in words, or None."""
    for what, tensor in zip(("value", *["gradient"] * len(tensors)), tensors, strict=False):
        if tensor is not None and not bool(torch.isfinite(tensor).all()):
            bad = int((~torch.isfinite(tensor)).sum())
            return f"{bad} of {tensor.numel()} entries of the {what} are not finite"
    return None
