"""One colour and one marker per estimator, everywhere: on screen, in print and in legends.

Colours are Okabe and Ito's (2008) and two of Tol's, told apart by colour-blind readers; a marker always goes with them,
so that no meaning rests on colour alone. The assignment depends on the name only, never on which others are
shown, except that two unknown names falling into one slot are moved apart.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444", "#882255")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")
MATPLOTLIB_MARKERS = dict(zip(SHAPES, ("o", "s", "^", "D", "P", "v", ">", "<"), strict=True))

_KNOWN = (
    # eight to a line, each in another colour; the same colour comes with another marker in every line
    ("sm_exact", "ssm", "ssm_vr", "taylor_ssm", "fd_ssm", "fd_ssm_vr", "dsm", "sm_forward"),
    ("forward_laplacian", "hutchinson", "hvp_loop", "hessian_trace", "xtrace", "hutchpp", "taylor_laplacian", "sdgd"),
    (
        "taylor",
        "finite_difference",
        "nested_reverse",
        "richardson",
        "complex_step",
        "nested_forward",
        "complex_contour",
    ),
    ("taylor_hutchinson", "fd_laplacian", "taylor_trace", "fd_hutchinson", "curvature_propagation", "hvp_vmap"),
    ("stein_trace", "approximate_backprop", "nested_forward_laplacian", "complex_step_hutchinson"),
    ("biharmonic_interpolation", "stochastic_biharmonic"),
    ("dsm_sliced", "fd_dsm", "csm", "deq_exact", "deq_neumann", "deq_phantom", "mle", "deq_unrolled"),
)


@dataclass(frozen=True)
class Mark:
    """How an estimator is drawn."""

    colour: str
    shape: str

    @property
    def matplotlib_marker(self) -> str:
        """The same shape in matplotlib's letters."""
        return MATPLOTLIB_MARKERS[self.shape]


def _slots() -> dict[str, int]:
    """Built-in names → slot; slot = colour + 8·marker offset, so that neighbours differ in both."""
    return {name: 8 * family + place for family, names in enumerate(_KNOWN) for place, name in enumerate(names)}


def _mark(slot: int) -> Mark:
    colour, turn = slot % 8, slot // 8
    return Mark(COLOURS[colour], SHAPES[(colour + turn) % 8])


def marks(names: Iterable[str]) -> dict[str, Mark]:
    """The mark of each name. All differ for up to 64 names."""
    slots, taken, chosen = _slots(), set(_slots().values()), {}
    for name in sorted(set(names)):
        if name in slots:
            chosen[name] = _mark(slots[name])
            continue
        slot = zlib.crc32(name.encode("utf-8", "surrogatepass")) % 64
        for step in range(64):
            if (slot + step) % 64 not in taken:
                slot = (slot + step) % 64
                break
        taken.add(slot)
        chosen[name] = _mark(slot)
    return chosen
