"""The declared pair draws the same probes, so that the difference of the two is free of their noise."""

from __future__ import annotations

import torch

from estimators import registry
from estimators.testing.subject import NotApplicable, Subject, theta_gradient

SEEDS = 32
SHARE = 0.2


def same_probes_as_pair(subject: Subject) -> str:
    """The difference from the pair, same generator state and shared options, has under a fifth of either's std."""
    est = subject.estimator
    if est.pair is None:
        raise NotApplicable("declares no pair")
    other = registry.get(est.pair)
    assert other.bias == "none", f"its pair {other.name} is biased"
    assert other.quantity == est.quantity, f"its pair {other.name} estimates {other.quantity}"
    shared = {name: value for name in other.options if (value := subject.option(name)) is not None}
    pair = Subject(other, shared)
    worst = 0.0
    for case in subject.cases():
        draws = []
        for seed in range(SEEDS):
            ours, theirs = subject.call(case, seed), pair.call(case, seed)
            draws.append(
                torch.stack(
                    [
                        torch.cat([ours.detach(), theta_gradient(ours, case)]),
                        torch.cat([theirs.detach(), theta_gradient(theirs, case)]),
                    ]
                )
            )
        ours, theirs = torch.stack(draws, dim=1)  # (seeds, B + P) each
        rows = case.x.shape[0]
        for part, what in ((slice(0, rows), "value"), (slice(rows, None), "θ-gradient")):
            noise = min(float(t[:, part].std(0).norm()) for t in (ours, theirs))
            difference = float((ours - theirs)[:, part].std(0).norm())
            if noise < 1e-9:
                continue
            worst = max(worst, difference / noise)
            assert difference < SHARE * noise, (
                f"{case.label}: the {what}'s difference from {other.name} has {difference / noise:.2f} of the std of "
                f"either (allowed {SHARE}): the two do not draw the same probes"
            )
    return f"the difference has {worst:.1e} of either's std"
