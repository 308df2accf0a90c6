"""The input of a forward Laplacian: all D coordinate directions, left unmaterialised while only affine maps act.

Until the first nonlinear operation the Jacobian's columns are the same for every point. An affine map of width n < D
leaves D columns c_r in R^n of which only the Gram matrix Σ_r c_r c_rᵀ enters a Laplacian, so n columns with the same
Gram matrix do: the rows of QᵀC, where C: (D, n) = QR. Q may be held fixed under differentiation, because it spans C:
d(CᵀQQᵀC) = dCᵀ QQᵀC + CᵀQQᵀ dC = dCᵀC + CᵀdC. So the gradient flows through C alone, linearly, and is right for
rank-deficient C too, where the derivative of the QR decomposition itself does not exist.
"""

# ruff: noqa: D102 (tensor methods and properties mean what they mean for tensors)

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from estimators.taylor.frame import Frame
from estimators.taylor.propagate import as_series
from estimators.taylor.series import Series


class UsedTwice(Exception):
    """A compressed input is used a second time, in coordinates that its compressed columns do not span."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.source = source


class Coordinates(Series):
    """An affine function of the input, with columns that all points share.

    Attributes:
        point: the value, (B, n).
        columns: (R, n), or None for the identity.
        source: the pass's input, which knows whether one of its images was compressed already.
    """

    __slots__ = ("_rows", "columns", "point", "source")

    def __init__(self, point: Any, columns: Tensor | None, frame: Frame, source: Source) -> None:
        self.point, self.columns, self.frame, self.source = point, columns, frame, source
        self.present = (True, True, *(False,) * (frame.order - 1))
        self._rows: Tensor | None = None

    @property
    def rows(self) -> Tensor:  # type: ignore[override]
        if self._rows is None:
            columns = self.source.columns_of(self)
            self._rows = torch.cat([self.point.unsqueeze(0), columns.unsqueeze(1).expand(-1, *self.point.shape)])
        return self._rows

    def map_features(self, linear: Callable[[Any], Any]) -> Series:
        """Stay unmaterialised under a linear map of the last dimension."""
        columns = self.source.identity(self) if self.columns is None else self.columns
        return Coordinates(linear(self.point), linear(columns), self.frame, self.source)

    def affine(self, weight: Tensor, bias: Tensor | None) -> Series:
        """The image under x ↦ x Wᵀ + b, which of the identity costs nothing: its columns are those of W."""
        columns = weight.mT if self.columns is None else torch.nn.functional.linear(self.columns, weight)
        return Coordinates(torch.nn.functional.linear(self.point, weight, bias), columns, self.frame, self.source)

    def shift(self, b: Any) -> Series:
        """X + b; the columns stay."""
        return Coordinates(self.point + b, self.columns, self.frame, self.source)

    @property
    def shape(self) -> torch.Size:
        return self.point.shape

    @property
    def ndim(self) -> int:
        return self.point.ndim

    @property
    def dtype(self) -> torch.dtype:
        return self.point.dtype

    @property
    def device(self) -> torch.device:
        return self.point.device

    @property
    def value(self) -> Any:
        return self.point


class Source:
    """What all images of one input share: one choice of columns, and which of them to push."""

    def __init__(self, dim: int, coordinates: Tensor | None, part: slice, compress: bool) -> None:
        self.dim, self.coordinates, self.part, self.compress = dim, coordinates, part, compress
        self.compressed = False
        self.available = dim if coordinates is None else len(coordinates)

    def identity(self, image: Coordinates) -> Tensor:
        """The input's own columns."""
        return torch.eye(self.dim, dtype=image.dtype, device=image.device)

    def columns_of(self, image: Coordinates) -> Tensor:
        """The columns to materialise for an image: its own, or fewer with the same Gram matrix."""
        if self.compressed:
            raise UsedTwice(self)
        columns = self.identity(image) if image.columns is None else image.columns
        if self.coordinates is not None:
            columns = columns[self.coordinates]
        if self.compress and columns.shape[0] > columns.shape[1]:
            self.compressed = True
            columns = _Compress.apply(columns)
        self.compress = False  # what is pushed uncompressed once has to be pushed so again
        self.available = columns.shape[0]
        image.frame.directions = len(columns := columns[self.part])
        return columns


class _Compress(torch.autograd.Function):
    """QᵀC for the Q of C = QR, held fixed: the same Gram matrix in fewer rows. See the module's first lines."""

    @staticmethod
    def forward(ctx, columns: Tensor) -> Tensor:
        if not ctx.needs_input_grad[0]:
            return torch.linalg.qr(columns, mode="r").R
        q, r = torch.linalg.qr(columns)
        ctx.save_for_backward(q)
        return r

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        if torch.is_grad_enabled():  # once_differentiable would drop the term without a word under autograd.grad
            raise NotImplementedError(
                "with Q held fixed, second derivatives in the parameters would be wrong; pass compress=False for them"
            )
        return ctx.saved_tensors[0] @ grad


def over_coordinates(
    f: Callable[[Any], Any],
    x: Any,
    *,
    coordinates: Tensor | None = None,
    chunk: int | None = None,
    compress: bool = True,
) -> Iterator[Series]:
    """The collapsed series of order 2 of f over coordinate directions: 2 c_2 sums to Σ_i ∂²f/∂x_i².

    Args:
        f: a function of (B, D) made of operations that have a Taylor rule.
        x: the points, (B, D), or a series of an outer pass.
        coordinates: the indices i to sum over; None for all.
        chunk: how many columns to push at once, after compression; None for all.
        compress: whether to replace the columns by min(D, n) of the same Gram matrix after a first affine map of
            width n. Where f uses its input again after that, f is run again, uncompressed.

    Yields:
        The series of f, one for each chunk. Squares of c_1 and c_2 add up over chunks.

    Raises:
        NotImplementedError: an operation in f has no Taylor rule; the message names it.
    """
    level = x.frame.level + 1 if isinstance(x, Series) else 0
    start, available = 0, 1
    while start < available:
        source = Source(x.shape[-1], coordinates, slice(start, start + chunk if chunk else None), compress)
        frame = Frame(2, source.available, collapsed=True, level=level)
        try:
            series = as_series(f(Coordinates(x, None, frame, source)), frame)
        except UsedTwice as again:
            if again.source is not source:  # an outer pass's input
                raise
            compress = False
            continue
        yield series
        available = source.available
        start += chunk or available
