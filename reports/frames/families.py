"""Training runs of one problem in families, where a figure of all would be one of too many lines."""

from __future__ import annotations

import numpy as np
import pandas as pd

MOST = 5  # lines, each with a band, that a figure can hold
ALIKE = 0.01  # of the range of a figure
OTHERS = "other estimators"
TARGETS = {"dsm": "Denoising", "csm": "Composite", "mle": "Likelihood", "smoothed": "Smoothed"}


def families(frame: pd.DataFrame) -> dict[str, list[str]]:
    """The family's name → its labels, of one problem; one family without a name where a figure holds all of them.

    An estimator of the exact objective belongs with those that draw at random, or with those that do not; another one
    with those of its target.
    """
    found: dict[str, list[str]] = {}
    for label, runs in frame[frame["outcome"] == "ok"].groupby("label", sort=True):
        target = runs["target"].iloc[0]
        random = "Random directions" if (runs["grad_std"] > 0).any() else "Deterministic"
        found.setdefault(random if target in ("sm", None) else TARGETS.get(target, str(target)), []).append(str(label))
    if len(found) < 2 or sum(map(len, found.values())) <= MOST:
        return {"": [label for labels in found.values() for label in labels]}
    return dict(sorted(found.items(), key=lambda family: (-len(family[1]), family[0])))


def highlighted(curves: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """Curves of one family with their bands; all others before them, as one estimator and without bands."""
    own = curves["label"].isin(labels)
    rest = curves[~own]
    pale = rest.assign(estimator=OTHERS, y_low=rest["y"], y_high=rest["y"])
    return pd.concat([pale, curves[own]], ignore_index=True)


def coinciding(curves: pd.DataFrame) -> list[list[str]]:
    """Labels whose lines lie on each other, within a hundredth of the range of all lines."""
    within = ALIKE * float(curves["y"].max() - curves["y"].min()) if len(curves) else 0.0
    found: list[tuple[list[str], pd.DataFrame]] = []
    for label, line in curves.groupby("label", sort=True):
        for labels, first in found:
            same = len(first) == len(line) and np.array_equal(first["x"].to_numpy(), line["x"].to_numpy())
            if same and np.abs(first["y"].to_numpy() - line["y"].to_numpy()).max() <= within:
                labels.append(str(label))
                break
        else:
            found.append(([str(label)], line))
    return [labels for labels, _ in found if len(labels) > 1]
