"""Derivative and score-matching estimators in PyTorch: a registry, and one file per estimator.

>>> import estimators
>>> est = estimators.get("ssm")
>>> est.quantity
'score_matching'
"""

import importlib
import pkgutil

from estimators.cost import Cost as Cost
from estimators.estimator import Estimator as Estimator
from estimators.registry import get as get
from estimators.registry import load_file as load_file
from estimators.registry import names as names
from estimators.registry import register as register

for _room in (
    "directional",
    "laplacian",
    "score_matching",
    "log_likelihood",
):  # importing an estimator's file registers it
    _package = importlib.import_module(f"estimators.{_room}")
    for _module in pkgutil.iter_modules(_package.__path__):
        importlib.import_module(f"estimators.{_room}.{_module.name}")

__all__ = ["Cost", "Estimator", "get", "load_file", "names", "register"]
