"""Sigmoid focal loss (RetinaNet, arXiv 1708.02002, eq. 5) as mmcv calls it.

mmdet's `FocalLoss` has a Python path on the CPU only; on a GPU it always asks mmcv.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def _require_unweighted(weight: Tensor) -> None:
    if weight.numel():
        raise NotImplementedError(
            "mmcv operator 'sigmoid_focal_loss' of mmcv-ext-torch has no class "
            f"weights, got weight of shape {tuple(weight.shape)}; multiply the "
            "unreduced loss by them (as mmdet's FocalLoss does), or install a "
            "compiled mmcv"
        )


def _focal_terms(logits: Tensor, target: Tensor, gamma: float, alpha: float) -> Tensor:
    classes = torch.arange(logits.shape[1], device=logits.device)
    positive = target[:, None] == classes  # (N, K)
    # log p and log (1 - p) from the logit: finite where p itself rounds to 0 or 1.
    log_prob = F.logsigmoid(torch.where(positive, logits, -logits))
    miss = torch.sigmoid(torch.where(positive, -logits, logits))
    return -torch.where(positive, alpha, 1 - alpha) * miss.pow(gamma) * log_prob


def sigmoid_focal_loss_forward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    output: Tensor,
    *,
    gamma: float,
    alpha: float,
) -> None:
    """Write the focal loss of every logit to `output`.

    Args:
        input: (N, K) logits.
        target: (N,) int64 class, K for background.
        weight: (0,).
        output: (N, K), overwritten.
        gamma: how much easy examples are discounted.
        alpha: weight of positives; negatives have 1 - alpha.

    Raises:
        NotImplementedError: if there are class weights.
    """
    _require_unweighted(weight)
    logits = input.to(torch.promote_types(input.dtype, torch.float32))
    output.copy_(_focal_terms(logits, target, gamma, alpha))


def sigmoid_focal_loss_backward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    grad_input: Tensor,
    *,
    gamma: float,
    alpha: float,
) -> None:
    """Write the derivative of every loss by its own logit to `grad_input`.

    Args:
        input: as in the forward.
        target: as in the forward.
        weight: (0,).
        grad_input: (N, K), overwritten.
        gamma: as in the forward.
        alpha: as in the forward.

    Raises:
        NotImplementedError: if there are class weights.
    """
    _require_unweighted(weight)
    dtype = torch.promote_types(input.dtype, torch.float32)
    logits = input.detach().to(dtype).requires_grad_()
    with torch.enable_grad():
        total = _focal_terms(logits, target, gamma, alpha).sum()
    grad_input.copy_(torch.autograd.grad(total, logits)[0])
