"""Greedy non-maximum suppression with mmcv's pixel offset."""

import torch
from torch import Tensor


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int = 0) -> Tensor:
    """Keep the best box of every group that overlaps more than a threshold.

    Args:
        boxes: (N, 4) x1, y1, x2, y2 in pixels, any float dtype.
        scores: (N,).
        iou_threshold: a box is dropped if its IoU with a better one is larger.
        offset: 0, or 1 where x2 and y2 are the last pixel inside the box, so that a
            side is x2 - x1 + 1 long.

    Returns:
        (M,) int64 indices of the kept boxes, best score first.
    """
    # Box areas overflow fp16 beyond 255 x 255 pixels, and bf16 rounds coordinates
    # above 256 to whole steps of 2: overlaps are always computed in fp32 or more.
    dtype = torch.promote_types(boxes.dtype, torch.float32)
    boxes, scores = boxes.to(dtype), scores.to(dtype)
    if offset:
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    # Here: it imports torch._dynamo, two seconds of every process that never calls it.
    import torchvision

    return torchvision.ops.nms(boxes, scores, iou_threshold)
