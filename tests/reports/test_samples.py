"""Galleries of trained models: of real short runs, from the states that a store keeps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench import problems
from bench.point import Point, ProblemSpec
from bench.store import Store
from bench.train import rows
from bench.train.trainer import Trainer
from bench.train.training import Training
from reports.__main__ import run
from reports.figures import samples as figure
from reports.frames import samples as frames
from reports.frames.training import load as load_training
from reports.pages.training import training_page

PLANE = ProblemSpec(model="mlp", data="two_spirals", dim=2, depth=1, width=8, activation="silu", batch=32)
DIGITS = replace(PLANE, data="digits", dim=64, width=64)
AREA = (2 * frames.HALF / frames.CELLS) ** 2


def trained(spec: ProblemSpec, estimator: str, options: dict, seed: int = 0, steps: int = 2) -> Training:
    point = Point(estimator, "score_matching", replace(spec, seed=seed), options=options, draws=16)
    return Training(point, optimiser_options={"lr": 1e-2}, steps=steps, marks=1, rows=64, held_out=64, score_points=0)


RUNS = (
    trained(PLANE, "ssm", {"probes": 1}, seed=1),
    trained(PLANE, "ssm", {"probes": 1}),
    trained(PLANE, "dsm", {"sigma": 0.2}),
    trained(replace(PLANE, model="score_mlp"), "dsm", {"sigma": 0.2}),
    trained(DIGITS, "dsm", {"sigma": 1.0}, steps=150),
    trained(DIGITS, "dsm", {"sigma": 0.1}),  # noise that nobody sees
    trained(replace(DIGITS, model="ncsn_middle"), "dsm_annealed", {"sigma": 3.0, "sigma_min": 0.5, "levels": 4}),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    with Store(folder / "t.sqlite") as store:
        for number, training in enumerate(RUNS):
            problems.prepare(training.point.problem)
            rows.prepare(training)
            trainer = Trainer(training)
            assert trainer.advance() == "" and trainer.advance() == ""
            trainer.save(folder / "state.npz")
            row = {**training.identity(), "key": f"k{number}", "machine": "m", "title": "t", "started_at": str(number)}
            row |= {"finished": True, "outcome": "ok", "reason": ""}
            point = {"place": 1, "steps": training.steps, "train_s": 1.0, "objective": 0.0}
            store.put_training(row, point, (folder / "state.npz").read_bytes())
    return folder / "t.sqlite"


@pytest.fixture(scope="module")
def galleries(path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "STEPS", 50)
        patch.setattr(frames, "ANNEALED_STEPS", 5)
        return frames.load(path)


def test_energies_have_densities_scores_alone_have_samples(galleries):
    energy, score, *_ = galleries
    assert [panel.label for panel in energy.panels] == ["dsm (σ=0.2)", "ssm"] and energy.panels[1].seed == 0
    assert float(energy.data.sum()) * AREA == pytest.approx(1, abs=1e-2)
    for panel in energy.panels:
        assert float(panel.arrays["density"].sum()) * AREA == pytest.approx(1, abs=1e-12)
        assert 0.3 < float(panel.arrays["samples"].sum()) * AREA <= 1 and panel.arrays["lost"] == 0
    assert set(score.panels[0].arrays) == {"samples", "lost"}
    strips = figure.strips(energy)
    assert [(s.label, s.row) for s in strips][:3] == [
        ("data", "density"),
        ("dsm (σ=0.2)", "density"),
        ("dsm (σ=0.2)", "samples"),
    ]


def test_digits_are_nearer_to_the_clean_ones_when_denoised(galleries):
    (digits,) = [gallery for gallery in galleries if gallery.panels[0].label == "dsm (σ=1)"]
    (panel,) = digits.panels  # the faint noise has none
    assert panel.arrays["noise_rms"] == pytest.approx(1.0, abs=0.05) and panel.arrays["left_rms"] < 0.9
    assert panel.arrays["noisy"].shape == panel.arrays["denoised"].shape == digits.data.shape == (10, 64)
    error = {name: float(np.square(panel.arrays[name] - digits.data).mean()) for name in ("noisy", "denoised")}
    assert error["denoised"] < error["noisy"]
    (annealed,) = [gallery for gallery in galleries if gallery.panels[0].label == "dsm_annealed"]
    assert np.ptp(annealed.panels[0].arrays["drawn"]) > 0.5


def test_pages_show_them_small_and_the_figure_is_written(path, galleries, tmp_path, monkeypatch):
    frame = load_training(path)
    bare = training_page(frame)
    page = training_page(frame, galleries=galleries)
    assert "data:image/png" not in bare and page.count("data:image/png") == 5 + 2 + 3 + 2
    assert len(page) - len(bare) < 60_000 and 'alt="ssm: Langevin"' in page
    monkeypatch.setattr(frames, "_plane", None)  # what was computed once is kept
    monkeypatch.setattr(frames, "_digits", None)
    again = frames.load(path)
    assert all(
        np.array_equal(a.arrays[name], b.arrays[name])
        for one, other in zip(galleries, again, strict=True)
        for a, b in zip(one.panels, other.panels, strict=True)
        for name in a.arrays
    )
    assert run(["figure", "samples", "--store", str(path), "--out", str(tmp_path / "s.svg")]) == 0
    assert "Langevin" in (tmp_path / "s.svg").read_text()
    assert figure.on_paper([], {}).axes
