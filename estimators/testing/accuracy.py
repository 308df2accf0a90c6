"""Convergence to the target, in value and in θ-gradient, and the declared order of a vanishing bias.

The test of unbiasedness draws 32 blocks of 2048 independent estimates of every row (copies of the rows in one batch)
and compares the block means with the exact values by Student's t with 31 degrees of freedom: one statistic for each
row's value and one for each of seven directions in θ, the exact gradient's among them. |t| > 8 has probability 5e-9;
with at most 11 statistics, 3 models, 4 orders and a factor for the skewness of block means, a correct estimator fails
with probability below 1e-5. A bias is seen from about 8/√65536 = 3 % of one draw's standard deviation.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
from torch import Tensor

from estimators.testing.references import reference, score_of, square_and_trace
from estimators.testing.subject import DIM, Case, NotApplicable, Subject, theta_gradient

BLOCKS, COPIES, LARGEST_T = 32, 2048, 8.0
SMALL_STEP = 0.02
STEPS = (0.08, 0.04, 0.02)


def unbiased(subject: Subject) -> str:
    """Mean value and mean θ-gradient are the target's, or reach it within 1 % as a vanishing bias' step is 0.02."""
    est = subject.estimator
    if est.bias == "fixed":
        raise NotApplicable("declares a fixed bias")
    options: dict[str, Any] = {est.step: SMALL_STEP} if est.step and est.step not in subject.options else {}
    slack = 1e-8 if est.bias == "none" else 1e-2
    limits = []
    for case in subject.cases():
        exact = reference(subject, case)
        g = theta_gradient(exact, case)
        blocks = 2 if not est.stochastic else BLOCKS
        values, gradients = _blocks(subject, case, options, blocks, copies=COPIES if est.stochastic else 1)
        directions = _directions(g)
        compared = (
            (values, exact.detach(), float(exact.detach().norm()) / math.sqrt(exact.numel()), "value"),
            (gradients @ directions, g @ directions, float(g.norm()), "θ-gradient"),
        )
        for draws, target, size, what in compared:
            mean, error = draws.mean(0), draws.std(0) / math.sqrt(blocks)
            excess = (mean - target).abs() - LARGEST_T * error - slack * max(size, 1e-2)
            if (excess > 0).any():
                off, noise = _relative(mean - target, size), _relative(error, size)
                raise AssertionError(
                    f"{case.label}: mean {what} is off by {off} of the exact one, noise {noise}; "
                    + _diagnosis(gradients.mean(0), g, subject, case, options)
                )
            limits.append(float((LARGEST_T * error).max()) / max(size, 1e-12))
    return f"a bias above {max(limits):.1%} of the target would have been seen" if est.stochastic else ""


def bias_order(subject: Subject) -> str:
    """A vanishing bias shrinks with the declared power of its step: 2^p for every halving, within 2^±0.35."""
    est = subject.estimator
    if est.bias != "vanishing":
        raise NotApplicable("declares no vanishing bias")
    if est.step in subject.options:
        raise NotApplicable(f"the step {est.step} was given")
    slopes = []
    step = str(est.step)
    blocks, copies = (8, 64) if est.stochastic else (1, 1)
    hidden = False
    for case in subject.cases():
        for part in (0, 1):
            estimates = [_blocks(subject, case, {step: h}, blocks, copies)[part] for h in STEPS]
            coarse, fine = (a - b for a, b in itertools.pairwise(estimates))
            first, second = (float(difference.mean(0).norm()) for difference in (coarse, fine))
            if first < 1e-5 * max(float(estimates[-1].mean(0).norm()), 1.0):
                continue  # no error to measure, as on a quadratic
            if est.stochastic and second < 4 * float(fine.std(0).norm()) / math.sqrt(blocks):
                hidden = True  # a one-sided form: its noise grows as the error shrinks
                continue
            slope = math.log2(first / max(second, 1e-300))
            what = ("value", "θ-gradient")[part]
            assert est.bias_order is not None and abs(slope - est.bias_order) < 0.35, (
                f"{case.label}: the error of the {what} shrinks with power {slope:.2f} of {est.step}; "
                f"declared {est.bias_order}"
            )
            slopes.append(slope)
    if not slopes:
        where = "at steps " + ", ".join(map(str, STEPS))
        raise NotApplicable(f"noise hides the error {where}" if hidden else f"no error to be measured {where}")
    return f"measured {min(slopes):.2f} to {max(slopes):.2f}"


def _blocks(subject: Subject, case: Case, options: dict[str, Any], blocks: int, copies: int) -> tuple[Tensor, Tensor]:
    """Block means of the values, (blocks, B), and of the θ-gradients, (blocks, P)."""
    many = case.repeated(copies)
    values, gradients = [], []
    for seed in range(blocks):
        estimate = subject.call(many, seed=1000 + seed, **options)
        gradients.append(theta_gradient(estimate, case))
        values.append(estimate.detach().view(copies, -1).mean(0))
    return torch.stack(values), torch.stack(gradients)


def _directions(g: Tensor) -> Tensor:
    """The exact gradient's direction and six random ones, as columns, (P, 7)."""
    generator = torch.Generator().manual_seed(11)
    random = torch.randn((g.numel(), 6), generator=generator, dtype=g.dtype)
    columns = torch.cat([g.unsqueeze(1), random], dim=1)
    return columns / columns.norm(dim=0).clamp_min(1e-300)


def _diagnosis(mean: Tensor, g: Tensor, subject: Subject, case: Case, options: dict[str, Any]) -> str:
    """Name the scale if the gradient is a multiple of the exact one, or each of its two terms is of its own."""
    if not mean.norm() > 0 or not g.norm() > 0:
        return "the θ-gradient is zero"
    ratio = float(mean @ g / (g @ g))
    cosine = float(mean @ g / (mean.norm() * g.norm()))
    known = _scales({**subject.estimator.options, **subject.options, **options})
    if abs(cosine) < 0.97:
        return _terms(mean, subject, case, known) or f"its cosine with the exact θ-gradient is {cosine:.2f}"
    name = _named(ratio, known)
    if name not in ("", "1"):
        return f"scale {name}: the mean θ-gradient is {ratio:.4g} times the exact one"
    return f"the mean θ-gradient is {ratio:.4g} times the exact one, at cosine {cosine:.3f}"


def _scales(options: dict[str, Any]) -> dict[str, float]:
    """The factors that published code and common slips differ by."""
    sigma, eps, probes = (options.get(name) or 1 for name in ("sigma", "eps", "probes"))
    return {
        "1": 1,
        "1/D": 1 / DIM,
        "2/D": 2 / DIM,
        "D": DIM,
        "1/2": 1 / 2,
        "2": 2,
        "-1": -1,
        "σ²": sigma**2,
        "σ⁴": sigma**4,
        "ε²/D": eps**2 / DIM,
        "M": probes,
    }


def _named(ratio: float, known: dict[str, float]) -> str:
    """The name of a scale, or nothing where none is within a tenth."""
    if abs(ratio) < 0.02:
        return "0"
    name, scale = min(known.items(), key=lambda item: abs(item[1] - ratio) / abs(item[1]))
    return name if abs(scale - ratio) <= 0.1 * abs(scale) else ""


def _terms(mean: Tensor, subject: Subject, case: Case, known: dict[str, float]) -> str:
    """Of a score-matching gradient a·∇½‖s‖² + c·∇tr ∇s, the scales a and c; nothing where it is no such sum."""
    if subject.estimator.quantity != "score_matching" or subject.estimator.target != "sm":
        return ""
    score = score_of(case.model)
    terms = torch.stack([theta_gradient(square_and_trace(score, case.x)[term], case) for term in (0, 1)], dim=1)
    scales = torch.linalg.lstsq(terms, mean.unsqueeze(1)).solution[:, 0]
    names = [_named(float(scale), known) for scale in scales]
    if (terms @ scales - mean).norm() > 0.05 * mean.norm() or "" in names:
        return ""
    return (
        f"scale {names[1]} of the trace and {names[0]} of the square: the mean θ-gradient is "
        f"{float(scales[0]):.4g} ∇½‖s‖² + {float(scales[1]):.4g} ∇tr ∇s"
    )


def _relative(difference: Tensor, size: float) -> str:
    return f"{float(difference.abs().max()) / max(size, 1e-300):.2%}"
