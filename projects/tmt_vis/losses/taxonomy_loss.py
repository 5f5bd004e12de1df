"""Supervision of the compiled taxonomy scores."""

import torch
import torch.nn.functional as F
from torch import Tensor


def compilation_loss(
    score_logits: Tensor, present: Tensor, class_keep: Tensor
) -> Tensor:
    """Ask TCM which categories the clip shows (multi-label cross-entropy).

    The paper's Eq. 8 supervises the scores S of Eq. 5 with nothing, and the top-N_T
    selection passes no gradient, so the Linear of Eq. 5 would never learn. This term
    is our addition (see docs/paper_to_code.md, A8); the presets ``strict`` and
    ``released-intent`` do without it.

    Args:
        score_logits: ``(B, K)``, the scores S before the sigmoid.
        present: ``(B, K)`` bool, True = the clip shows the category.
        class_keep: ``(B, K)`` bool, True = the label space annotates the category and
            the sample says whether it is there.

    Returns:
        Scalar: mean over the categories of each label space, then over clips.
    """
    # Blocked columns hold no information about the clip: 0 there keeps both the
    # value and the gradient out (0 * inf would be NaN).
    logits = score_logits.float().masked_fill(~class_keep, 0)
    loss = F.binary_cross_entropy_with_logits(logits, present.float(), reduction="none")
    # A video may say nothing about any category with a text.
    num_known = class_keep.sum(1).clamp(min=1)
    per_clip = torch.where(class_keep, loss, 0).sum(1) / num_known
    return per_clip.mean()
