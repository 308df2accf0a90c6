"""Sums over blocks of draws: all that is kept of n draws of a gradient."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bench.statistics.bias import BiasInterval, bias_estimate, bias_interval


def block_count(draws: int, most: int = 32) -> int:
    """K: the number of equal blocks, from ``most``/2 to ``most``, that uses most draws; the larger of equals.

    Where no such number divides the draws, the last few stay outside the blocks. Fewer draws than ``most``/2 are blocks
    of their own.
    """
    if draws <= most // 2:
        return draws
    return max(range(most // 2, min(most, draws) + 1), key=lambda k: (k * (draws // k), k))


class BlockSums:
    """Accumulates n draws ĝ of a vector of P entries against its exact value g, in K sums and four numbers.

    Numbers are relative to ‖g‖, or where g is zero, absolute (`relative` is false then).

    Args:
        reference: g, a float64 tensor; it is read as one vector.
        draws: n, how many draws will be added.
        blocks: the largest K; memory is K·P·8 bytes.

    Raises:
        ValueError: the reference is not float64 or not finite, or there are no draws.
    """

    def __init__(self, reference: Tensor, draws: int, blocks: int = 32):
        if reference.dtype != torch.float64:
            raise ValueError(f"reference has to be float64; got {reference.dtype}")
        if not torch.isfinite(reference).all():
            raise ValueError("reference has to be finite; it holds NaN or infinity")
        if draws < 1:
            raise ValueError(f"draws has to be at least 1; got {draws}")
        self.reference = reference.detach().reshape(-1)
        self.draws = draws
        self.blocks = block_count(draws, blocks)
        self.block_size = draws // self.blocks
        self.added = 0
        rows = -(-draws // self.block_size)  # of draws that are left over, at the end, too
        self._sums = torch.zeros(rows, self.reference.numel(), dtype=torch.float64, device=self.reference.device)
        self._squares = 0.0
        self._cosines = 0.0
        norm = float(self.reference.norm())
        self.relative = norm > 0
        self.norm = norm if self.relative else 1.0

    def add(self, draw: Tensor, partner: Tensor | None = None) -> None:
        """Add one draw, d = ĝ − g; or with a partner that is unbiased and used the same probes, d = ĝ − partner.

        Raises:
            ValueError: the draw is not a float64 tensor of the reference's size, or one too many.
        """
        self.extend(draw.reshape(1, -1), None if partner is None else partner.reshape(1, -1))

    @torch.no_grad()
    def extend(self, draws: Tensor, partners: Tensor | None = None) -> None:
        """Add the next few draws, (m, P), as `add` does one: what a short draw costs is mostly calls of torch.

        Raises:
            ValueError: as `add`.
        """
        draws, size = draws.detach(), self.reference.numel()
        if draws.dtype != torch.float64 or draws.shape[1:] != self.reference.shape:
            raise ValueError(
                f"a draw has to be float64 of {size} entries; got {draws.dtype} of {draws.shape[1:].numel()}"
            )
        before, self.added = self.added, self.added + len(draws)
        if self.added > self.draws:
            raise ValueError(f"{self.draws} draws were announced; got {self.added - self.draws} more")
        differences = draws - (self.reference if partners is None else partners.detach())
        blocks = torch.arange(before, self.added, device=draws.device) // self.block_size
        self._sums.index_add_(0, blocks, differences)
        flat = differences.reshape(-1)
        self._squares += float(flat @ flat)
        if partners is None and self.relative:
            lengths = torch.linalg.vector_norm(draws, dim=1)
            cosines = (draws @ self.reference) / (lengths * self.norm)
            self._cosines += float(torch.where(lengths == 0, 0.0, cosines).sum())

    def means(self) -> Tensor:
        """The means b_k of d over the full blocks, (K', P); K' = K once all draws are added."""
        return self._sums[: min(self.blocks, self.added // self.block_size)] / self.block_size

    def gram(self) -> Tensor:
        """b_i·b_j of the means of the full blocks, (K', K') on the CPU."""
        means = self.means()
        return (means @ means.T).cpu()

    def bias(self, level: float = 0.95) -> BiasInterval:
        """The relative bias ‖E d‖/‖g‖, noise-corrected, with its interval (`bias_interval`)."""
        return bias_interval(self.gram().numpy(), level).scaled(1 / self.norm)

    def bias_estimate(self) -> float:
        """The relative bias alone, without its interval."""
        return bias_estimate(self.gram().numpy()) / self.norm

    def bias_from(self, other: Tensor, level: float = 0.95) -> BiasInterval:
        """The bias against another reference g′, relative to ‖g′‖, from the same sums: b_k + g − g′."""
        means = self.means() + (self.reference - other.reshape(-1))
        return bias_interval((means @ means.T).cpu().numpy(), level).scaled(1 / (float(other.norm()) or 1.0))

    def std(self) -> float:
        """√tr Σ̂/‖g‖, the relative standard deviation of one draw (of the difference, with partners); NaN for one."""
        if self.added < 2:
            return math.nan
        total = self._sums.sum(0)
        variance = (self._squares - float(total @ total) / self.added) / (self.added - 1)
        return math.sqrt(max(0.0, variance)) / self.norm

    def rmse(self) -> float:
        """√(mean ‖d‖²)/‖g‖, the relative root-mean-square error of one draw."""
        return math.sqrt(self._squares / self.added) / self.norm if self.added else math.nan

    def convergence(self) -> list[tuple[int, float]]:
        """(k, ‖mean of the first k draws of d‖/‖g‖) at 1, 2, 4, … and all full blocks: falls as 1/√k to the bias."""
        full = len(self.means())
        steps = [2**power for power in range(full.bit_length()) if 2**power < full] + ([full] if full else [])
        lengths = (float(self._sums[:blocks].sum(0).norm()) for blocks in steps)
        counts = [blocks * self.block_size for blocks in steps]
        return [(count, length / count / self.norm) for count, length in zip(counts, lengths, strict=True)]

    def cosine(self) -> float:
        """The mean cosine between a draw and g; NaN where g is zero or the draws had partners."""
        return self._cosines / self.added if self.relative and self._cosines else math.nan
