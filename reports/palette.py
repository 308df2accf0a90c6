"""One colour and one marker per estimator, everywhere: on screen, in print and in legends.

Colours are Okabe and Ito's (2008) and two of Tol's, told apart by colour-blind readers; a marker always goes with them,
so that no meaning rests on colour alone. The assignment depends on the name only, never on which others are
shown, except that names of plugins falling into one slot are moved apart.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444", "#882255")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")
PATHS = dict(
    zip(
        SHAPES,
        (
            "M5 0a5 5 0 1 0 -10 0a5 5 0 1 0 10 0",
            "M-4.4-4.4h8.8v8.8h-8.8z",
            "M0-5.4L5 3.6H-5z",
            "M0-5.8L5 0L0 5.8L-5 0z",
            "M-1.8-5.2h3.6v3.4h3.4v3.6h-3.4v3.4h-3.6v-3.4h-3.4v-3.6h3.4z",
            "M0 5.4L5-3.6H-5z",
            "M5.4 0L-3.6 5V-5z",
            "M-5.4 0L3.6 5V-5z",
        ),
        strict=True,
    )
)
"""SVG paths of the shapes, about seven units from the middle; legends and the estimators' pages draw them."""

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
    (
        "taylor_hutchinson",
        "fd_laplacian",
        "taylor_trace",
        "fd_hutchinson",
        "curvature_propagation",
        "hvp_vmap",
        "cp_sm",
    ),
    (
        *("stein_trace", "approximate_backprop", "nested_forward_laplacian", "complex_step_hutchinson"),
        *("fd_ssm_one_sided", "kl_sm", "dsm_annealed", "fd_ssm_score"),
    ),
    (
        *("biharmonic_interpolation", "stochastic_biharmonic", "sm_vmap", "ssm_forward"),
        *("fd_ssm_4th", "dsm_cv", "deq_phantom_ssm", "taylor_trace_sm"),
    ),
    ("dsm_sliced", "fd_dsm", "csm", "deq_exact", "deq_neumann", "deq_phantom", "mle", "deq_unrolled"),
    ("pinn_exact", "pinn_squared", "pinn_two_halves", "deq_phantom_directional"),
)


@dataclass(frozen=True)
class Mark:
    """How an estimator is drawn."""

    colour: str
    shape: str

    @property
    def path(self) -> str:
        """The same shape as an SVG path."""
        return PATHS[self.shape]

    def to_dict(self) -> dict[str, str]:
        """Plain data, for the page."""
        return {"colour": self.colour, "shape": self.shape, "path": self.path}

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
    slots, names = _slots(), sorted(set(names))
    used = {slots[name] for name in names if name in slots}
    reserved = set(slots.values())
    chosen = {}
    for name in names:
        if name in slots:
            chosen[name] = _mark(slots[name])
            continue
        first = zlib.crc32(name.encode("utf-8", "surrogatepass")) % 64
        around = [(first + step) % 64 for step in range(64)]
        free = [slot for slot in around if slot not in used]
        slot = next((slot for slot in free if slot not in reserved), free[0] if free else first)
        used.add(slot)
        chosen[name] = _mark(slot)
    return chosen


def marks_apart(groups: Iterable[Iterable[str]], owners: Mapping[str, str]) -> dict[str, Mark]:
    """Marks of labels, no two of one colour in a group of up to eight; a label keeps its owner's where it can.

    Args:
        groups: labels that are drawn together.
        owners: label → the name whose mark it takes by preference.
    """
    beside: dict[str, set[str]] = {}
    for group in map(set, groups):
        for label in group:
            beside.setdefault(label, set()).update(group - {label})
    preferred = marks(owners.values())
    chosen: dict[str, Mark] = {}

    def taken(label: str) -> set[str]:
        return {chosen[other].colour for other in beside[label] if other in chosen}

    def urgency(label: str) -> tuple[int, bool, int]:
        """Fewest colours left first, as in Brélaz (1979); among equals plain names, which keep their own."""
        return len(taken(label)), label == owners[label], len(beside[label])

    while waiting := sorted(beside.keys() - chosen.keys()):
        label = max(waiting, key=urgency)
        own, used = preferred[owners[label]], taken(label)
        colour = next((colour for colour in (own.colour, *COLOURS) if colour not in used), own.colour)
        shapes = {chosen[other].shape for other in beside[label] if other in chosen}
        shape = next((shape for shape in (own.shape, *SHAPES) if shape not in shapes), own.shape)
        chosen[label] = Mark(colour, shape)
    return chosen
