"""The score of a diffusion by its evolution equation: what a random gradient of a trace does to the loss.

An Ornstein-Uhlenbeck process in D dimensions and a small network at initialisation, float64, Hutchinson's trace with M
Rademacher probes. The squared residual is too large by half the variance of the residual, in closed form beside it; the
product of two halves of M/2 probes each is not, at a larger std. Score matching of the same network is linear in the
trace, and has no bias to correct. Each mean is over draws, ± its standard error; gradients are ∇θ of the batch mean.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import estimators
from bench.problems.score_pinn import OrnsteinUhlenbeck, TimeEnergy, probe_variance, residual, squared, two_halves

WIDTH, TIME = 32, 0.4


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dim", type=int, default=8)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--probes", type=int, default=4, help="M, an even number")
    parser.add_argument("--draws", type=int, default=400)
    options = parser.parse_args()
    if options.probes < 2 or options.probes % 2:
        parser.error(f"--probes has to be an even number >= 2; got {options.probes}")
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    rates = torch.linspace(0.5, 2.0, options.dim, dtype=torch.float64)
    process = OrnsteinUhlenbeck(rates, 1.4, torch.ones_like(rates), rates.flip(0))
    model, t = TimeEnergy(options.dim, WIDTH, generator), torch.tensor(TIME, dtype=torch.float64)
    x = process.draw(options.batch, t, generator)
    parameters = list(model.parameters())

    def random(probes: int) -> Tensor:
        def trace(f: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
            return estimators.get("taylor_hutchinson")(f, points, order=2, generator=generator, probes=probes)

        return residual(model, process, x, t, trace)

    def exact_trace(f: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
        return estimators.get("taylor_laplacian")(f, points, order=2)

    def matching(name: str, **keywords: Any) -> Tensor:
        density = lambda points: model.log_density(points, t)  # noqa: E731
        return estimators.get(name)(density, x, generator=generator, **keywords)

    exact = squared(residual(model, process, x, t, exact_trace)).mean()
    excess = 0.5 * probe_variance(model, process, x, t, options.probes).mean()
    rows: dict[str, tuple[Tensor, Tensor, Callable[[], Tensor]]] = {
        "squared residual": (exact, excess, lambda: squared(random(options.probes)).mean()),
        "two halves": (
            exact,
            torch.zeros_like(exact),
            lambda: two_halves(random(options.probes // 2), random(options.probes // 2)).mean(),
        ),
        "score matching, linear": (
            matching("sm_exact").mean(),
            torch.zeros_like(exact),
            lambda: matching("ssm_vr", probes=options.probes).mean(),
        ),
    }

    def gradient(value: Tensor) -> Tensor:
        if not value.requires_grad:
            return torch.zeros(sum(p.numel() for p in parameters), dtype=value.dtype)
        parts = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True, materialize_grads=True)
        return torch.cat([part.flatten() for part in parts])

    print(f"D = {options.dim}, batch {options.batch}, M = {options.probes}, {options.draws} draws")
    print(f"{'':<26}{'exact':>10}{'predicted':>12}{'mean':>22}{'gradient bias':>30}{'one draw, std':>16}")
    for name, (truth, bias, draw) in rows.items():
        target, shift = gradient(truth), gradient(bias)
        values, gradients = [], []
        for _ in range(options.draws):
            value = draw()
            values.append(float(value.detach()))
            gradients.append(gradient(value))
        stacked, sample = torch.stack(gradients), torch.tensor(values, dtype=torch.float64)
        noise = float(stacked.var(0).sum()) / options.draws
        found = max(float((stacked.mean(0) - target).square().sum()) - noise, 0.0) ** 0.5 / float(target.norm())
        mean = f"{float(sample.mean()):.4g} ± {float(sample.std()) / options.draws**0.5:.2g}"
        grad = f"{found:.3f}, predicted {float(shift.norm() / target.norm()):.3f}"
        std = float(stacked.var(0).sum()) ** 0.5 / float(target.norm())
        expected = float((truth + bias).detach())
        print(f"{name:<26}{float(truth.detach()):>10.4g}{expected:>12.4g}{mean:>22}{grad:>30}{std:>16.3f}")


if __name__ == "__main__":
    main()
