"""Rules for attention, composed of products and a softmax."""

# ruff: noqa: D103 (a rule does what the operation it is named after does)

from __future__ import annotations

from typing import Any, cast

import torch
from torch.nn import functional as F

from estimators.taylor.series import Series, rule, unsupported


@rule(F.scaled_dot_product_attention)
def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Series:
    if dropout_p or enable_gqa or is_causal or (attn_mask is not None and attn_mask.dtype == torch.bool):
        raise unsupported(F.scaled_dot_product_attention, "dropout, grouped heads and masks other than additive ones")
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    logits = torch.matmul(query, torch.transpose(key, -2, -1)) * scale
    logits = logits if attn_mask is None else logits + attn_mask
    return cast(Series, torch.matmul(torch.softmax(logits, -1), value))


@rule(F.multi_head_attention_forward)
def multi_head_attention_forward(
    query: Any,
    key: Any,
    value: Any,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Any,
    in_proj_bias: Any,
    bias_k: Any,
    bias_v: Any,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Any,
    out_proj_bias: Any,
    training: bool = True,
    key_padding_mask: Any = None,
    need_weights: bool = True,
    attn_mask: Any = None,
    use_separate_proj_weight: bool = False,
    average_attn_weights: bool = True,
    is_causal: bool = False,
    **keywords: Any,
) -> tuple[Any, Any]:
    """Sequences first, (L, B, E), as `torch.nn.MultiheadAttention` hands them over."""
    others = (bias_k, bias_v, key_padding_mask, *keywords.values())
    masked = attn_mask is not None and attn_mask.dtype == torch.bool
    if add_zero_attn or use_separate_proj_weight or masked or any(item is not None for item in others):
        raise unsupported(
            F.multi_head_attention_forward, "separate projections, added biases, padding or boolean masks"
        )
    if training and dropout_p:
        raise unsupported(F.multi_head_attention_forward, "dropout in training; call model.eval()")
    weights = in_proj_weight.chunk(3)
    biases = (None,) * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
    q, k, v = (
        _heads(F.linear(item, weight, bias), num_heads)
        for item, weight, bias in zip((query, key, value), weights, biases, strict=True)
    )
    logits = torch.matmul(q, torch.transpose(k, -2, -1)) * q.shape[-1] ** -0.5
    attention = torch.softmax(logits if attn_mask is None else logits + attn_mask, -1)
    mixed = torch.matmul(attention, v).permute(2, 0, 1, 3).flatten(2)
    weights = attention.mean(1) if average_attn_weights else attention
    return F.linear(mixed, out_proj_weight, out_proj_bias), weights if need_weights else None


def _heads(x: Any, count: int) -> Any:
    """(L, B, E) to (B, heads, L, E / heads)."""
    return x.unflatten(-1, (count, -1)).permute(1, 2, 0, 3)
