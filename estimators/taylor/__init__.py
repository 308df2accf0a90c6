"""Taylor mode: PyTorch functions on truncated series, at any order, along many directions at once."""

from estimators.taylor import activations as activations
from estimators.taylor import affine as affine
from estimators.taylor import arithmetic as arithmetic
from estimators.taylor import attention as attention
from estimators.taylor import elementary as elementary
from estimators.taylor import piecewise as piecewise
from estimators.taylor import powers as powers
from estimators.taylor import reductions as reductions
from estimators.taylor import shapes as shapes
from estimators.taylor.propagate import along as along
from estimators.taylor.series import Series as Series
from estimators.taylor.series import rule as rule
from estimators.taylor.series import rules as rules

__all__ = ["Series", "along", "rule", "rules"]
