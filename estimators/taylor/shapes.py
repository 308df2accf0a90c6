"""Rules for operations that only move numbers: each acts on all coefficients' rows in one call."""

# ruff: noqa: D103 (a rule does what the operation it is named after does)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from estimators.taylor.frame import Frame
from estimators.taylor.series import Series, belongs, frame_of, rule, unsupported


def row_dim(dim: int) -> int:
    """A dimension of the series as a dimension of its rows."""
    return dim + 1 if dim >= 0 else dim


def row_dims(dims: Any) -> Any:
    """The same for one dimension or several."""
    return row_dim(dims) if isinstance(dims, int) else [row_dim(d) for d in dims]


def with_rank(rows: Tensor, ndim: int) -> Tensor:
    """Rows (N, *shape) with singleton dimensions put in after N, so that a shape of `ndim` broadcasts as it would."""
    missing = ndim - (rows.ndim - 1)
    return rows.reshape(rows.shape[0], *(1,) * missing, *rows.shape[1:]) if missing > 0 else rows


def align(frame: Frame, items: Sequence[Any]) -> tuple[list[Tensor], tuple[bool, ...]]:
    """The rows of several series or constants, with the same orders present: missing coefficients become zeros."""
    present = tuple(
        any(item.present[k] for item in items if belongs(item, frame)) or k == 0 for k in range(frame.order + 1)
    )
    rows = [item.rows for item in items if belongs(item, frame)]  # first: this may settle the number of directions
    aligned = []
    for item in items:
        if belongs(item, frame):
            if item.present != present:
                kept = [item.coefficient(k) for k in range(frame.order + 1) if present[k]]
                aligned.append(torch.cat(kept))
            else:
                aligned.append(item.rows)
            continue
        if not isinstance(item, (Tensor, Series)):
            item = torch.as_tensor(item, dtype=rows[0].dtype, device=rows[0].device)
        zeros = sum(frame.count(k) for k in range(1, frame.order + 1) if present[k])
        value = item.unsqueeze(0)
        aligned.append(torch.cat([value, value.new_zeros(zeros, *item.shape)]) if zeros else value)
    return aligned, present


def _sizes(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list, torch.Size)) else sizes


@rule(torch.reshape, Tensor.reshape, Tensor.view)
def reshape(x: Series, *shape: Any, **keywords: Any) -> Series:
    sizes = _sizes(shape or (keywords["shape"],))
    if -1 in sizes and x.numel():
        known = -torch.Size(sizes).numel() if len(sizes) > 1 else 1
        sizes = tuple(x.numel() // known if s == -1 else s for s in sizes)
    return x.map(lambda rows: rows.reshape(rows.shape[0], *sizes))


@rule(Tensor.reshape_as, Tensor.view_as)
def reshape_as(x: Series, other: Tensor) -> Series:
    return reshape(x, other.shape)


@rule(torch.flatten, Tensor.flatten)
def flatten(x: Series, start_dim: int = 0, end_dim: int = -1) -> Series:
    return x.map(lambda rows: rows.flatten(row_dim(start_dim), row_dim(end_dim)))


@rule(torch.unflatten, Tensor.unflatten)
def unflatten(x: Series, dim: int, sizes: Sequence[int]) -> Series:
    return x.map(lambda rows: rows.unflatten(row_dim(dim), sizes))


@rule(torch.unsqueeze, Tensor.unsqueeze)
def unsqueeze(x: Series, dim: int) -> Series:
    return x.map(lambda rows: rows.unsqueeze(row_dim(dim)))


@rule(torch.squeeze, Tensor.squeeze)
def squeeze(x: Series, dim: Any = None) -> Series:
    dims = range(x.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    axes = tuple(d % x.ndim + 1 for d in dims if x.shape[d] == 1) if x.ndim else ()
    return x.map(lambda rows: rows.squeeze(axes)) if axes else x


@rule(torch.permute, Tensor.permute)
def permute(x: Series, *dims: Any) -> Series:
    axes = [d % x.ndim + 1 for d in _sizes(dims)]
    return x.map(lambda rows: rows.permute(0, *axes))


@rule(torch.transpose, Tensor.transpose, torch.swapaxes, Tensor.swapaxes)
def transpose(x: Series, dim0: int, dim1: int) -> Series:
    return x.map(lambda rows: rows.transpose(row_dim(dim0), row_dim(dim1)))


@rule(torch.t, Tensor.t)
def t(x: Series) -> Series:
    return transpose(x, 0, 1) if x.ndim == 2 else x


@rule(torch.movedim, Tensor.movedim)
def movedim(x: Series, source: Any, destination: Any) -> Series:
    return x.map(lambda rows: rows.movedim(row_dims(source), row_dims(destination)))


@rule(Tensor.expand, torch.broadcast_to, Tensor.broadcast_to)
def expand(x: Series, *sizes: Any) -> Series:
    shape = _sizes(sizes)
    return x.map(lambda rows: with_rank(rows, len(shape)).expand(-1, *shape))


@rule(Tensor.expand_as)
def expand_as(x: Series, other: Any) -> Series:
    return expand(x, other.shape)


@rule(Tensor.repeat)
def repeat(x: Series, *sizes: Any) -> Series:
    shape = _sizes(sizes)
    return x.map(lambda rows: with_rank(rows, len(shape)).repeat(1, *shape))


@rule(Tensor.contiguous, Tensor.clone, torch.clone)
def contiguous(x: Series, memory_format: Any = None) -> Series:
    return x


@rule(Tensor.to, Tensor.type)
def to(x: Series | Tensor, *arguments: Any, **keywords: Any) -> Series | Tensor:
    if not isinstance(x, Series):  # a plain tensor brought to the dtype and device of a series
        (like,) = (a for a in (*arguments, *keywords.values()) if isinstance(a, Series))
        return x.to(like.rows.dtype).to(like.rows.device)
    arguments = tuple(a.rows if isinstance(a, Series) else a for a in arguments)
    return x.map(lambda rows: rows.to(*arguments, **keywords))


@rule(Tensor.double)
def double(x: Series) -> Series:
    return x.map(lambda rows: rows.double())


@rule(Tensor.float)
def float_(x: Series) -> Series:
    return x.map(lambda rows: rows.float())


@rule(torch.flip, Tensor.flip)
def flip(x: Series, *dims: Any) -> Series:
    return x.map(lambda rows: rows.flip(row_dims(_sizes(dims))))


@rule(torch.roll, Tensor.roll)
def roll(x: Series, shifts: Any, dims: Any = None) -> Series:
    if dims is None:
        return reshape(x.map(lambda rows: rows.flatten(1).roll(shifts, 1)), x.shape)
    return x.map(lambda rows: rows.roll(shifts, row_dims(dims)))


@rule(torch.cat, torch.concat, torch.concatenate)
def cat(tensors: Sequence[Any], dim: int = 0) -> Series:
    rows, present = align(frame := frame_of(*tensors), tensors)
    return Series(torch.cat(rows, row_dim(dim)), frame, present)


@rule(torch.stack)
def stack(tensors: Sequence[Any], dim: int = 0) -> Series:
    rows, present = align(frame := frame_of(*tensors), tensors)
    return Series(torch.stack(rows, row_dim(dim)), frame, present)


def _several(x: Series, parts: Sequence[Tensor]) -> tuple[Series, ...]:
    return tuple(Series(rows, x.frame, x.present) for rows in parts)


@rule(torch.split, Tensor.split, torch.split_with_sizes, Tensor.split_with_sizes)
def split(x: Series, split_size: Any, dim: int = 0) -> tuple[Series, ...]:
    return _several(x, x.rows.split(split_size, row_dim(dim)))


@rule(torch.chunk, Tensor.chunk)
def chunk(x: Series, chunks: int, dim: int = 0) -> tuple[Series, ...]:
    return _several(x, x.rows.chunk(chunks, row_dim(dim)))


@rule(torch.unbind, Tensor.unbind)
def unbind(x: Series, dim: int = 0) -> tuple[Series, ...]:
    return _several(x, x.rows.unbind(row_dim(dim)))


@rule(torch.select, Tensor.select)
def select(x: Series, dim: int, index: int) -> Series:
    return x.map(lambda rows: rows.select(row_dim(dim), index))


@rule(torch.narrow, Tensor.narrow)
def narrow(x: Series, dim: int, start: int, length: int) -> Series:
    return x.map(lambda rows: rows.narrow(row_dim(dim), start, length))


@rule(torch.index_select, Tensor.index_select)
def index_select(x: Series, dim: int, index: Tensor) -> Series:
    return x.map(lambda rows: rows.index_select(row_dim(dim), index))


@rule(torch.diagonal, Tensor.diagonal)
def diagonal(x: Series, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Series:
    return x.map(lambda rows: rows.diagonal(offset, row_dim(dim1), row_dim(dim2)))


@rule(torch.tril, Tensor.tril)
def tril(x: Series, diagonal: int = 0) -> Series:
    return x.map(lambda rows: rows.tril(diagonal))


@rule(torch.triu, Tensor.triu)
def triu(x: Series, diagonal: int = 0) -> Series:
    return x.map(lambda rows: rows.triu(diagonal))


@rule(torch.gather, Tensor.gather)
def gather(x: Series, dim: int, index: Tensor) -> Series:
    return x.map(lambda rows: rows.gather(row_dim(dim), index.expand(rows.shape[0], *index.shape)))


@rule(Tensor.__getitem__)
def getitem(x: Series, index: Any) -> Series:
    index = index if isinstance(index, tuple) else (index,)
    gathered = [i for i, item in enumerate(index) if isinstance(item, (Tensor, list))]
    if gathered and gathered[-1] - gathered[0] != len(gathered) - 1:
        raise unsupported(Tensor.__getitem__, "index tensors with a slice between them")
    return x.map(lambda rows: rows[(slice(None), *index)])
