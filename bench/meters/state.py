"""What an estimator must leave as it was: inputs, parameters, their ``.grad``, global random state, threads, dtype."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.problems.problem import Problem


@dataclass(frozen=True)
class Snapshot:
    """The state before a call."""

    tensors: tuple[tuple[str, Tensor, Tensor, bool], ...]  # name, the tensor, its copy, whether it required gradients
    grads: tuple[Tensor | None, ...]
    random: Tensor
    threads: int
    dtype: torch.dtype

    @classmethod
    def of(cls, problem: Problem) -> Snapshot:
        """The state around ``problem`` now."""
        named = [("x", problem.x), ("v", problem.v)]
        named += [(f"parameter {name}", tensor) for name, tensor in problem.model.named_parameters()]
        named += [(f"buffer {name}", tensor) for name, tensor in problem.model.named_buffers()]
        return cls(
            tensors=tuple((name, t, t.detach().clone(), t.requires_grad) for name, t in named),
            grads=tuple(p.grad for p in problem.parameters),
            random=torch.get_rng_state(),
            threads=torch.get_num_threads(),
            dtype=torch.get_default_dtype(),
        )

    def changes(self, problem: Problem) -> list[str]:
        """What is no longer as it was, in words."""
        found = []
        for name, tensor, copy, required in self.tensors:
            if tensor.shape != copy.shape or not torch.equal(tensor.detach(), copy):
                found.append(f"the values of {name}")
            if tensor.requires_grad != required:
                found.append(f"requires_grad of {name}")
        if any(p.grad is not grad for p, grad in zip(problem.parameters, self.grads, strict=True)):
            found.append("the parameters' .grad")
        if not torch.equal(torch.get_rng_state(), self.random):
            found.append("the global random state")
        if torch.get_num_threads() != self.threads:
            found.append(f"the number of threads ({self.threads} to {torch.get_num_threads()})")
        if torch.get_default_dtype() != self.dtype:
            found.append(f"the default dtype ({self.dtype} to {torch.get_default_dtype()})")
        return found
