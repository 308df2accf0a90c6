"""Problems: a model family at a size and a stage, on a data set. Importing a family's file registers it."""

from bench.data import DATA as DATA
from bench.exact.activations import ACTIVATIONS as ACTIVATIONS
from bench.problems import deq as _deq  # noqa: F401
from bench.problems import dkef as _dkef  # noqa: F401
from bench.problems import far_mode as _far_mode  # noqa: F401
from bench.problems import flows as _flows  # noqa: F401
from bench.problems import gaussian as _gaussian  # noqa: F401
from bench.problems import gaussian_mixture as _gaussian_mixture  # noqa: F401
from bench.problems import images as _images  # noqa: F401
from bench.problems import implicit_encoder as _implicit_encoder  # noqa: F401
from bench.problems import made as _made  # noqa: F401
from bench.problems import mlp as _mlp  # noqa: F401
from bench.problems import ncsn as _ncsn  # noqa: F401
from bench.problems import quadratic as _quadratic  # noqa: F401
from bench.problems import ridge as _ridge  # noqa: F401
from bench.problems import score_mlp as _score_mlp  # noqa: F401
from bench.problems import score_pinn as _score_pinn  # noqa: F401
from bench.problems import sine_product as _sine_product  # noqa: F401
from bench.problems import trace_gradient as _trace_gradient  # noqa: F401
from bench.problems.build import STAGES as STAGES
from bench.problems.build import build as build
from bench.problems.build import canonical as canonical
from bench.problems.build import check as check
from bench.problems.build import prepare as prepare
from bench.problems.problem import Problem as Problem
from bench.problems.registry import MODELS as MODELS
from bench.problems.registry import load_entry_points as _load_entry_points
from bench.problems.registry import load_file as load_file
from bench.problems.registry import needs as needs
from bench.problems.registry import quantities as quantities
from bench.problems.registry import register as register

_load_entry_points()

__all__ = [
    "ACTIVATIONS",
    "DATA",
    "MODELS",
    "STAGES",
    "Problem",
    "build",
    "canonical",
    "check",
    "load_file",
    "needs",
    "prepare",
    "quantities",
    "register",
]
