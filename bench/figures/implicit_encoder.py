"""The entropy gradient of an implicit encoder by a learned score, against its closed form.

A linear Gaussian encoder of K codes from D = 4K inputs, whose score and entropy gradient are known. A network learns
the score of its codes by each objective; the surrogate −z·s(z), s held fixed, then gives ∇φ H on n = 2·10⁵ fresh codes,
whose own sampling error, √((D + K)/n), is that of the exact score in the first row. Relative errors of the whole ∇φ H.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from bench.problems.implicit_encoder import (
    ROWS,
    STEPS,
    Field,
    LinearEncoder,
    encoder,
    entropy_surrogate,
    learn_score,
)

OBJECTIVES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("sm_exact", {}),
    ("ssm_vr", {}),
    ("fd_ssm_vr", {}),
    ("dsm", {"sigma": 0.1}),
    ("dsm", {"sigma": 0.5}),
)
FRESH = 200_000


def learned(encode: LinearEncoder, name: str, options: dict[str, Any], seed: int, steps: int, batch: int) -> Field:
    """A score network after so many steps, each on fresh codes."""
    field = Field(len(encode.noise), seed)
    learn_score(field, encode, name, options, seed, steps, batch)
    return field.double()


def entropy_error(encode: LinearEncoder, score: Callable[[Tensor], Tensor]) -> float:
    """Relative error of the surrogate's ∇φ H on fresh codes."""
    parameters = list(encode.parameters())
    exact = torch.cat([g.flatten() for g in torch.autograd.grad(encode.entropy(), parameters)])
    z = encode.draw(FRESH, torch.Generator().manual_seed(1))
    found = torch.autograd.grad(entropy_surrogate(z, score).mean(), parameters)
    return float((torch.cat([g.flatten() for g in found]) - exact).norm() / exact.norm())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codes", type=int, default=8)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--batch", type=int, default=ROWS)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    encode = encoder(options.codes)
    print(f"K = {options.codes}, {options.steps} steps of {options.batch} fresh codes, seeds 0 to {options.seeds - 1}")
    print(f"  {'the exact score':<28}{entropy_error(encode, encode.score):.4f}")
    for name, keywords in OBJECTIVES:
        label = name + "".join(f", {key} = {value}" for key, value in keywords.items())
        fields = [learned(encode, name, keywords, seed, options.steps, options.batch) for seed in range(options.seeds)]
        print(f"  {label:<28}" + "  ".join(f"{entropy_error(encode, field.score):.4f}" for field in fields))


if __name__ == "__main__":
    main()
