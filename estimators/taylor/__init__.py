"""Taylor mode: PyTorch functions on truncated series, at any order, along many directions at once.

>>> import torch
>>> from estimators.taylor import along
>>> x, v = torch.zeros(1, 2), torch.tensor([[[1.0, 2.0]]])
>>> series = along(lambda z: torch.exp(z).prod(-1), x, v, order=3)  # e^{3t}
>>> [round(series.coefficient(k).item(), 4) for k in range(4)]
[1.0, 3.0, 4.5, 4.5]

An operation without a rule is refused by name. A rule is a function of the operation's own arguments; most are one line
over operations that have one already:

>>> from estimators.taylor import rule
>>> @rule(torch.special.xlogy)
... def xlogy(x, y):
...     return x * torch.log(y)
"""

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
