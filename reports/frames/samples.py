"""What trained models say of the data, to be looked at: densities and Langevin samples in the plane, denoised digits.

Computed from the parameters that the store keeps of each run's end, and then kept in the cache. One run, that of the
lowest seed, stands for each label; random numbers are its own generator's, from that seed.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import estimators
from bench import cache
from bench.data import digits
from bench.data.source import DATA
from bench.problems.build import generator
from bench.store import Store
from bench.train import rows, sampling
from bench.train.evaluation import score_of
from bench.train.kept import kept_problem, training_of
from bench.train.training import Training
from reports.frames.training import labelled_runs

SAMPLES_VERSION = 1
TOYS = ("eight_gaussians", "two_spirals", "checkerboard", "rings")
HALF, CELLS = 2.5, 64  # the square [−2.5, 2.5]², which holds the toys
DATA_POINTS = 200_000
CHAINS, STEP, STEPS = 1000, 0.002, 500
IMAGES = 10
VISIBLE = 0.25  # noise below a quarter of a pixel's spread changes a picture too little to be looked at
ANNEALED_STEP, ANNEALED_STEPS = 0.002, 100
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Panel:
    """One run's pictures.

    Attributes:
        label: the run's label.
        seed: its seed.
        arrays: what there is of ``density`` and ``samples``, (cells, cells) densities on the square; ``noisy``,
            ``denoised`` and ``drawn``, (N, pixels) in [0, 1]; and ``lost``, how many chains left for infinity.
        note: numbers that go with them, in words.
    """

    label: str
    seed: int
    arrays: Mapping[str, np.ndarray]
    note: str = ""


@dataclass(frozen=True)
class Gallery:
    """The pictures of one problem beside its data.

    Attributes:
        problem: its hash, as in the frame of training runs.
        kind: ``plane``, or ``digits``.
        data: the data's density on the square, or clean held-out digits, (N, pixels) in [0, 1].
        panels: of each label.
    """

    problem: str
    kind: str
    data: np.ndarray
    panels: Sequence[Panel] = field(default_factory=tuple)


def load(path: str | Path) -> list[Gallery]:
    """The galleries of the runs in a store that ended well, in the order they were begun.

    Raises:
        StoreError: there is no store, or it is not ours.
    """
    chosen: dict[str, dict[str, tuple[dict[str, Any], bytes]]] = {}
    with Store(path, must_exist=True) as store:
        for label, run in labelled_runs(store):
            state = store.training_state(run["key"])
            if run["outcome"] != "ok" or state is None or _kind(run) is None:
                continue
            of_problem = chosen.setdefault(run["problem"], {})
            if label not in of_problem or run["seed"] < of_problem[label][0]["seed"]:
                of_problem[label] = run, state[1]
    galleries = []
    for problem, runs in chosen.items():
        first = next(iter(runs.values()))[0]
        try:
            panels = [_panel(label, run, bundle) for label, (run, bundle) in sorted(runs.items())]
            galleries.append(Gallery(problem, str(_kind(first)), _data(training_of(first)), panels))
        except (ValueError, LookupError, KeyError) as error:  # a third party's model that is not here
            warnings.warn(f"no samples of {first['model']} on {first['data']}: {error}", stacklevel=2)
    return galleries


def _kind(run: Mapping[str, Any]) -> str | None:
    if run["dim"] == 2 and run["data"] in TOYS:
        return "plane"
    if run["data"] == "digits" and run["dim"] in digits.NATIVE and (_sigma(run) or 0.0) >= VISIBLE:
        return "digits"
    return None


def _sigma(run: Mapping[str, Any]) -> float | None:
    """The one noise level that the estimator denoises, or the largest of its ladder."""
    try:
        denoises = "denoising" in estimators.get(run["estimator"]).tags
    except KeyError:
        return None
    return run["options"].get("sigma") if denoises else None


def _data(training: Training) -> np.ndarray:
    spec = training.point.problem
    if spec.data in TOYS:
        points = DATA[spec.data].draw(2, DATA_POINTS, torch.Generator().manual_seed(0))  # type: ignore[misc]
        return sampling.histogram(points, HALF, CELLS).numpy()
    return digits.to_pixels(_clean(training).numpy())


def _panel(label: str, run: Mapping[str, Any], bundle: bytes) -> Panel:
    training = training_of(run)
    content = {"state": hashlib.sha256(bundle).hexdigest(), "run": run["key"], "version": SAMPLES_VERSION}
    path = cache.bundle_path("samples", content)
    arrays = cache.read_bundle(path)
    if arrays is None:
        problem = kept_problem(training, bundle)
        source = generator(training.point.problem, "samples")
        rows.prepare(training)
        arrays = _plane(problem.model, source) if _kind(run) == "plane" else _digits(training, problem.model, source)
        cache.write_bundle(path, arrays)
    note = ""
    if "noise_rms" in arrays:
        note = f"σ = {_sigma(run):g}; error of a pixel, root mean square in units of its spread: "
        note += f"{arrays['noise_rms']:.2f} noisy, {arrays['left_rms']:.2f} denoised"
    elif arrays.get("lost", 0):
        note = f"{int(arrays['lost'])} of {CHAINS} chains left for infinity"
    return Panel(label, int(run["seed"]), arrays, note)


def _plane(model: nn.Module, source: torch.Generator) -> Arrays:
    arrays: Arrays = {}
    log_density: Callable[[Tensor], Tensor] | None = getattr(model, "log_density", None)
    if log_density is not None:
        arrays["density"] = sampling.grid_density(log_density, HALF, CELLS).numpy()
    starts = HALF * (2 * torch.rand(CHAINS, 2, dtype=torch.float64, generator=source) - 1)
    ends = sampling.langevin(lambda x: score_of(model, x), starts, STEP, STEPS, source)
    finite = ends.isfinite().all(-1)
    arrays["samples"] = sampling.histogram(ends[finite], HALF, CELLS).numpy()
    arrays["lost"] = np.array(int((~finite).sum()))
    return arrays


def _digits(training: Training, model: Any, source: torch.Generator) -> Arrays:
    options = training.point.options
    if "sigma_min" in options and hasattr(model, "levels"):  # the ladder of which a noise-conditional score is told
        ladder = np.geomspace(options["sigma"], options["sigma_min"], options["levels"]).tolist()
        starts = options["sigma"] * torch.randn(
            IMAGES, training.point.problem.dim, dtype=torch.float64, generator=source
        )
        with torch.no_grad():
            ends = sampling.annealed_langevin(model.score, starts, ladder, ANNEALED_STEP, ANNEALED_STEPS, source)
        return {"drawn": digits.to_pixels(ends.numpy())}
    clean, sigma = rows.split(training)[1], float(options["sigma"])
    noisy = clean + sigma * torch.randn(clean.shape, dtype=torch.float64, generator=source)
    found = sampling.denoised(lambda x: score_of(model, x), noisy, sigma)
    rms = {name: np.array(float((x - clean).square().mean().sqrt())) for name, x in (("noise", noisy), ("left", found))}
    return {
        "noisy": digits.to_pixels(noisy[:IMAGES].numpy()),
        "denoised": digits.to_pixels(found[:IMAGES].numpy()),
        "noise_rms": rms["noise"],
        "left_rms": rms["left"],
    }


def _clean(training: Training) -> Tensor:
    rows.prepare(training)
    return rows.split(training)[1][:IMAGES]
