"""Samples: what trained models say of the data: densities and Langevin samples in the plane, digits denoised."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from PIL import Image

from reports.figures import paper
from reports.frames.samples import ANNEALED_STEP, ANNEALED_STEPS, CHAINS, HALF, STEP, STEPS, Gallery

NAME = "samples"
SHADES = 48
MAPS = {"plane": "Blues", "digits": "gray"}
ROWS = {
    "density": "density",
    "samples": "Langevin",
    "noisy": "noisy",
    "denoised": "denoised",
    "drawn": "annealed Langevin",
}
CAPTIONS = {
    "plane": f"Densities on the square [−{HALF:g}, {HALF:g}]², from white, none, to the darkest, the data's highest. "
    "Energies are normalised on the square by summing over it; a network that is a score alone has no density. "
    f"Langevin: {CHAINS} chains that began evenly over the square, counted in its cells after {STEPS} unadjusted steps "
    f"x + (α/2)s + √α z with α = {STEP:g}, of the run of the lowest seed. Score matching sees slopes alone: it hardly "
    "learns how much mass lies in parts far from each other.",
    "digits": "Rows that no run was trained on, as they are; with noise σz added to their standardised logits; and "
    "after one step x + σ²s(x), the mean of the clean rows by Tweedie's formula; of the run of the lowest seed. "
    f"Annealed Langevin: from noise down the ladder of levels, {ANNEALED_STEPS} steps at each, "
    f"α_k = {ANNEALED_STEP:g} σ_k²/σ_K².",
}


@dataclass(frozen=True)
class Strip:
    """One line of pictures: whose, of what, and the picture, (height, width) in [0, 1], a shade a pixel."""

    label: str
    row: str
    picture: np.ndarray


def strips(gallery: Gallery) -> list[Strip]:
    """The pictures of a gallery, ready for either renderer; the data's come first."""
    if gallery.kind == "plane":
        highest = float(gallery.data.max()) or 1.0
        found = [Strip("data", "density", np.clip(gallery.data / highest, 0, 1))]
        for panel in gallery.panels:
            for row in ("density", "samples"):
                if row in panel.arrays:
                    found.append(Strip(panel.label, row, np.clip(panel.arrays[row] / highest, 0, 1)))
        return found
    found = [Strip("data", "clean", _side_by_side(gallery.data))]
    for panel in gallery.panels:
        found += [
            Strip(panel.label, ROWS[row], _side_by_side(panel.arrays[row]))
            for row in ("noisy", "denoised", "drawn")
            if row in panel.arrays
        ]
    return found


def _side_by_side(images: np.ndarray) -> np.ndarray:
    """(N, pixels) as one picture, (side, N·(side + 1)), a white line after each; colours are averaged."""
    channels = 3 if images.shape[1] % 3 == 0 and images.shape[1] > 784 else 1
    side = round((images.shape[1] / channels) ** 0.5)
    squares = images.reshape(len(images), channels, side, side).mean(1)
    framed = np.pad(squares, ((0, 0), (0, 0), (0, 1)), constant_values=1.0)
    return framed.transpose(1, 0, 2).reshape(side, -1)


def image_uri(picture: np.ndarray, kind: str) -> str:
    """A picture as a PNG of one pixel a number and ``SHADES`` shades, as a data URI."""
    levels = np.rint(np.clip(picture, 0, 1) * (SHADES - 1)).astype(np.uint8)
    image = Image.fromarray(levels).convert("P")
    colours = colormaps[MAPS[kind]](np.linspace(0, 1, SHADES))[:, :3]
    image.putpalette(np.rint(255 * colours).astype(np.uint8).tobytes())
    file = io.BytesIO()
    image.save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def on_paper(galleries: Sequence[Gallery], names: dict[str, str]) -> Figure:
    """For print, the problem with most panels: in the plane a column a label, of digits a row."""
    if not galleries:
        figure, axes = paper.canvas()
        axes.axis("off")
        axes.text(0.5, 0.5, "no run of a toy in the plane, or of denoising, has ended well", ha="center", color="0.4")
        return figure
    gallery = max(galleries, key=lambda one: len(one.panels))
    found = strips(gallery)
    labels = list(dict.fromkeys(strip.label for strip in found))
    rows = list(dict.fromkeys(strip.row for strip in found))
    if gallery.kind == "plane":
        figure, _ = paper.canvas(width=1.2 * len(labels), height=1.2 * len(rows) + 0.5)
        figure.clf()
        grid = figure.subplots(len(rows), len(labels), squeeze=False)
        places = {(strip.label, strip.row): strip.picture for strip in found}
        for i, row in enumerate(rows):
            for j, label in enumerate(labels):
                _show(grid[i, j], places.get((label, row)), gallery.kind, label if i == 0 else "")
            grid[i, 0].set_ylabel(ROWS[row], visible=True)
    else:
        figure, _ = paper.canvas(width=5.2, height=0.45 * len(found) + 0.4)
        figure.clf()
        grid = figure.subplots(len(found), 1, squeeze=False)
        for axes, strip in zip(grid[:, 0], found, strict=True):
            _show(axes, strip.picture, gallery.kind, "")
            axes.set_ylabel(f"{strip.label[:24]}\n{strip.row}", rotation=0, ha="right", va="center", fontsize=6)
    figure.suptitle(names.get(gallery.problem, ""), fontsize=8)
    return figure


def _show(axes, picture: np.ndarray | None, kind: str, title: str) -> None:
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.set_title(title[:24], fontsize=7)
    if picture is None:
        axes.set_frame_on(False)
        return
    axes.imshow(picture, cmap=MAPS[kind], vmin=0, vmax=1, interpolation="nearest")
