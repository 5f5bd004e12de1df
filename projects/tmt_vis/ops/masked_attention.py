"""Masked multi-head attention: one fused call and its written-out reference."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

# Not public: torch 2.12 has it, and another version may not.
_ON_CPU = "_scaled_dot_product_flash_attention_for_cpu"
CAN_ATTEND_IN_PARTS = hasattr(torch.ops.aten, _ON_CPU)


def masked_attention(
    query: Tensor, key: Tensor, value: Tensor, keep: Tensor | None = None
) -> Tensor:
    """Attend with a boolean mask shared by all heads.

    ``nn.MultiheadAttention`` called with its defaults returns the attention weights
    and therefore stores ``heads x queries x keys`` numbers; the fused call stores
    none of them, and ``keep`` is broadcast over the heads instead of being repeated.

    Args:
        query: ``(B, heads, L, d)``.
        key: ``(B, heads, M, d)``.
        value: ``(B, heads, M, d)``.
        keep: ``(B, 1 or L, M)`` bool, True = attend. Every row must keep something.

    Returns:
        ``(B, heads, L, d)``.
    """
    mask = None if keep is None else keep.unsqueeze(1)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def masked_attention_reference(
    query: Tensor, key: Tensor, value: Tensor, keep: Tensor | None = None
) -> Tensor:
    """Compute :func:`masked_attention` step by step (the readable twin)."""
    weights = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    if keep is not None:
        weights = weights.masked_fill(~keep.unsqueeze(1), float("-inf"))
    return weights.softmax(-1) @ value


def attend_in_parts(
    query: Tensor, parts: Iterable[tuple[Tensor, Tensor, Tensor | None]]
) -> Tensor:
    """Compute :func:`masked_attention` of keys that come in parts (CPU, no gradient).

    Softmax over all keys is softmax within each part, weighted with the softmax of the
    parts' log-sum-exp (FlashAttention, Dao et al. 2022), so only one part of keys,
    values and mask has to be in memory.

    Args:
        query: ``(B, heads, L, d)``.
        parts: ``key``, ``value`` and ``keep`` of some keys each, as in
            :func:`masked_attention`; a row of ``keep`` may be empty in a part, not in
            all of them.

    Returns:
        ``(B, heads, L, d)``.
    """
    outs, shares = [], []
    for key, value, keep in parts:
        bias = keep if keep is None else _additive(keep, query.dtype).unsqueeze(1)
        # What F.scaled_dot_product_attention calls, which drops the log-sum-exp.
        attend = getattr(torch.ops.aten, _ON_CPU)
        out, log_sum = attend(query, key, value, attn_mask=bias)
        if keep is not None:  # the log-sum-exp of an empty row is 0
            empty = ~keep.any(-1).unsqueeze(1)
            log_sum = log_sum.masked_fill(empty, float("-inf"))
        outs.append(out)
        shares.append(log_sum)
    weights = torch.stack(shares).softmax(0).unsqueeze(-1)
    return (torch.stack(outs) * weights).sum(0).to(query.dtype)


def _additive(keep: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.zeros_like(keep, dtype=dtype).masked_fill_(~keep, float("-inf"))


def keep_from_mask_logits(mask_logits: Tensor) -> Tensor:
    """Turn mask logits into the keep mask of masked cross-attention.

    The reference blocks ``sigmoid(x) < 0.5``, which is ``x < 0``, and lets a query that
    may attend nowhere attend everywhere (its ``attn_mask.sum(-1) ==
    attn_mask.shape[-1]`` test): the softmax of an empty row is NaN.

    Args:
        mask_logits: ``(B, Q, M)``.

    Returns:
        ``(B, Q, M)`` bool, True = attend; no row is empty.
    """
    logits = mask_logits.detach()
    # As `keep | ~keep.any(-1)` with keep = logits >= 0, but `any` takes a CPU five
    # times as long as the largest value.
    largest = logits.amax(-1, keepdim=True)
    threshold = torch.full_like(largest, float("-inf")).masked_fill_(largest >= 0, 0)
    return logits >= threshold


__all__ = [
    "CAN_ATTEND_IN_PARTS",
    "attend_in_parts",
    "keep_from_mask_logits",
    "masked_attention",
    "masked_attention_reference",
]
