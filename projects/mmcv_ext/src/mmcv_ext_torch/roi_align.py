"""RoIAlign: mmcv's calling convention (results into buffers) on torchvision's op.

The two libraries compute the same numbers, including the meaning of `aligned` and of
`sampling_ratio = 0`; torchvision has average pooling only.
"""

from types import ModuleType

import torch
from torch import Tensor

_AVERAGE = 1


def _torchvision_ops() -> ModuleType:
    """Return torch.ops.torchvision.

    Imported on the first call: torchvision imports torch._dynamo, two seconds of every
    process, and most never pool a region.
    """
    import torchvision  # noqa: F401  (registers the operators)

    return torch.ops.torchvision


def _require_average(pool_mode: int) -> None:
    if pool_mode != _AVERAGE:
        raise NotImplementedError(
            "mmcv operator 'roi_align' of mmcv-ext-torch pools by average "
            f"(pool_mode=1), got pool_mode={pool_mode}; set pool_mode='avg' in the "
            "config, or install a compiled mmcv"
        )


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Pool a grid of values out of every region, into `output`.

    Args:
        input: (B, C, H, W) feature maps.
        rois: (N, 5) image index and x1, y1, x2, y2 in image pixels.
        output: (N, C, aligned_height, aligned_width), overwritten.
        argmax_y: unused with average pooling.
        argmax_x: unused with average pooling.
        aligned_height: bins per region, vertically.
        aligned_width: bins per region, horizontally.
        spatial_scale: feature pixels per image pixel.
        sampling_ratio: samples per bin side, 0 = adaptive.
        pool_mode: 1 = average.
        aligned: shift by half a pixel (the correct geometry) or not (legacy).

    Raises:
        NotImplementedError: for max pooling.
    """
    _require_average(pool_mode)
    dtype = torch.promote_types(input.dtype, torch.float32)
    pooled = _torchvision_ops().roi_align(
        input.to(dtype),
        rois.to(dtype),
        spatial_scale,
        aligned_height,
        aligned_width,
        sampling_ratio,
        aligned,
    )
    output.copy_(pooled)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Add the gradient of `roi_align_forward` to `grad_input`.

    Args:
        grad_output: (N, C, aligned_height, aligned_width).
        rois: as in the forward.
        argmax_y: unused with average pooling.
        argmax_x: unused with average pooling.
        grad_input: (B, C, H, W), added to.
        aligned_height: as in the forward.
        aligned_width: as in the forward.
        spatial_scale: as in the forward.
        sampling_ratio: as in the forward.
        pool_mode: 1 = average.
        aligned: as in the forward.

    Raises:
        NotImplementedError: for max pooling.
    """
    _require_average(pool_mode)
    dtype = torch.promote_types(grad_output.dtype, torch.float32)
    batch, channels, height, width = grad_input.shape
    grad = _torchvision_ops()._roi_align_backward(
        grad_output.to(dtype),
        rois.to(dtype),
        spatial_scale,
        aligned_height,
        aligned_width,
        batch,
        channels,
        height,
        width,
        sampling_ratio,
        aligned,
    )
    grad_input.add_(grad)
