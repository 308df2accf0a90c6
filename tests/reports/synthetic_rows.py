"""Synthetic rows that look measured: every outcome, unresolved biases, empty numbers."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from bench.columns import NAMES

# name, options to sweep, target, seconds at D = depth = 1, powers of (D, depth, order), bytes, bias, std at one probe
_SCORE = (
    ("sm_exact", [{}], "sm", 6e-5, (1.0, 1.0, 0.0), 3e4, 2e-7, 0.0),
    ("ssm", [{"probes": m} for m in (1, 4, 16)], "sm", 6e-4, (0.1, 1.0, 0.0), 3e5, 0.0, 0.6),
    ("ssm_vr", [{"probes": m} for m in (1, 4, 16)], "sm", 6.3e-4, (0.1, 1.0, 0.0), 3e5, 0.0, 0.4),
    ("taylor_ssm", [{"probes": m} for m in (1, 4, 16)], "sm", 3.6e-4, (0.1, 1.0, 0.0), 1.4e5, 0.0, 0.6),
    ("fd_ssm", [{"probes": 1, "eps": e} for e in (0.1, 1.0)], "sm", 3.5e-4, (0.1, 1.0, 0.0), 1.2e5, 0.02, 0.6),
    ("fd_ssm_vr", [{"probes": 1, "eps": e} for e in (0.1, 1.0)], "sm", 3.6e-4, (0.1, 1.0, 0.0), 1.2e5, 0.02, 0.4),
    ("dsm", [{"sigma": s} for s in (0.1, 0.3)], "dsm", 2.5e-4, (0.1, 1.0, 0.0), 9e4, 0.15, 1.5),
)
_LAPLACIAN = (
    ("hessian_trace", [{}], "exact", 9e-5, (1.2, 1.1, 0.0), 2e5, 1e-7, 0.0),
    ("hvp_loop", [{}], "exact", 2.2e-4, (1.0, 1.0, 0.0), 3e4, 1e-7, 0.0),
    ("forward_laplacian", [{}], "exact", 4e-5, (0.7, 1.0, 0.0), 9e4, 2e-7, 0.0),
    (
        "hutchinson",
        [{"probes": m, "law": "rademacher"} for m in (1, 4, 16)],
        "exact",
        5e-4,
        (0.1, 1.0, 0.0),
        2e5,
        0.0,
        0.8,
    ),
)
_DIRECTIONAL = (
    ("taylor", [{}], "exact", 2e-4, (0.1, 1.0, 1.1), 9e4, 3e-7, 0.0),
    ("nested_reverse", [{}], "exact", 1.2e-4, (0.1, 1.0, 2.6), 1e5, 3e-7, 0.0),
    (
        "finite_difference",
        [{"eps": e, "extra": 0} for e in (0.01, 0.1)],
        "exact",
        1.9e-4,
        (0.1, 1.0, 1.0),
        8e4,
        2e-3,
        0.0,
    ),
)
_STUDIES = (
    ("score_matching", _SCORE, (2,), (16, 64, 196, 784), (2, 8)),
    ("laplacian", _LAPLACIAN, (2,), (16, 64, 196, 784), (2, 8)),
    ("directional", _DIRECTIONAL, (1, 2, 3, 4, 6), (16, 64), (2, 8)),
)


def _failure(name: str, dim: int, depth: int, order: int, options: dict[str, Any]) -> tuple[str, str]:
    if name == "hessian_trace" and dim == 784:
        return "out_of_memory", "torch refused an allocation of 4831838208 bytes under a limit of 4 GiB"
    if name == "hvp_loop" and dim == 784 and depth == 8:
        return "timeout", "stopped after 60 s of served time"
    if name == "finite_difference" and order == 6 and options["eps"] == 0.01:
        return "nonfinite", "3 of 128 values are not finite"
    if name == "nested_reverse" and order == 6 and depth == 8:
        return "skipped", "order 6 by nesting at depth 8 takes minutes: constraint 'nested-order'"
    if name == "ssm_vr" and dim == 784 and options.get("probes") == 16:
        return "crashed", "the worker ended with signal 11"
    if name == "fd_ssm_vr" and dim == 784:
        return (
            "error",
            'Traceback (most recent call last):\n  File "fd.py", line 3\nRuntimeError: it changed its input x',
        )
    if name == "forward_laplacian" and dim == 784 and depth == 8:
        return "unsupported", "no Taylor rule for torch.nn.functional.mish"
    return "ok", ""


def _row(
    rng: np.random.Generator, study: str, entry: tuple, dim: int, depth: int, order: int, options: dict, **more: Any
):
    name, _, target, base, powers, size, bias, std = entry
    probes = options.get("probes")
    m = probes or 1
    row: dict[str, Any] = dict.fromkeys(NAMES)
    row |= {
        "quantity": study, "estimator": name, "options": options, "target": target, "model": "mlp", "data": "digits",
        "dim": dim, "depth": depth, "order": order, "width": 128, "activation": "softplus", "residual": False,
        "stage": "init", "batch": 128, "probes": probes, "dtype": "float32", "device": "cpu", "threads": 1, "seed": 0,
        "commit": "0" * 12, "estimator_source": "a" * 12, "method_version": "1", "torch_version": "2.13.0",
        "machine": json.dumps({"cpu": "Synthetic CPU", "cores": 2, "os": "Linux"}),
        "started_at": "2026-01-01T00:00:00Z", "duration_s": 0.5,
    } | more  # fmt: skip
    row["key"] = format(zlib.crc32(json.dumps([row[n] for n in NAMES[:20]]).encode()), "08x")
    outcome, reason = _failure(name, dim, depth, order, options)
    row |= {"outcome": outcome, "reason": reason or None}
    if outcome != "ok":
        return row
    a, b, c = powers
    time = base * dim**a * depth**b * max(order, 1) ** c * (0.4 + 0.6 * m) * math.exp(rng.normal(0, 0.03))
    peak = int(size * depth * (dim if name in ("hessian_trace", "forward_laplacian") else 1) * m)
    if "eps" in options:
        bias = bias * (options["eps"] ** 2 + 1e-7 * dim / options["eps"] ** 2)
    noise = std / math.sqrt(m) * math.exp(rng.normal(0, 0.05))
    limit = 0.3 * noise / math.sqrt(64) if noise else bias
    resolved = noise == 0 or bias > limit
    row |= {
        "time_value_s": 0.4 * time, "time_step_s": time,
        "time_step_low_s": 0.97 * time, "time_step_high_s": 1.04 * time,
        "time_samples": [time * f for f in (0.98, 1.0, 1.02)], "time_ratio": time / base, "round_group": "g0",
        "first_call_s": 3 * time, "peak_value_bytes": peak // 3, "peak_step_bytes": peak, "predicted_peak_bytes": peak,
        "rss_peak_bytes": 2 * peak + 10_000_000, "flops_value": int(1e9 * time), "flops_step": int(3e9 * time),
        "matmul_fraction": 0.2, "reference": "exact float64", "grad_bias": bias if resolved else limit * 0.5,
        "grad_bias_low": (bias if noise == 0 else max(bias - limit, 0.0)) if resolved else 0.0,
        "grad_bias_high": (bias if noise == 0 else bias + limit) if resolved else limit, "bias_resolved": resolved,
        "bias_route": "direct" if noise else "deterministic", "grad_std": noise, "grad_rmse": math.hypot(bias, noise),
        "grad_cosine": 1 / math.hypot(1, noise), "grad_rounding": 2e-7, "value_bias": bias, "value_std": noise,
        "draws": 64 if noise else 1, "minibatch_std": 0.25,
        "extra": {"grad_convergence": [[k, math.hypot(bias, noise / k**0.5)] for k in (2, 8, 64)]} if noise else {},
    }  # fmt: skip
    return row


def synthetic_rows(seed: int = 0, seeds: int = 1) -> Iterator[dict[str, Any]]:
    """About 150 rows for each of `seeds` problem seeds, every outcome among them."""
    rng = np.random.default_rng(seed)
    for problem_seed, (study, entries, orders, dims, depths) in product(range(seeds), _STUDIES):
        for entry, dim, depth, order in product(entries, dims, depths, orders):
            for options in entry[1]:
                yield _row(rng, study, entry, dim, depth, order, options, seed=problem_seed)
