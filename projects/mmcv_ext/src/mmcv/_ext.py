"""The operators `mmcv.ops` looks for, without a compiler.

`mmcv-lite` has the Python half of `mmcv.ops` but not the extension module
`mmcv._ext` behind it, so `import mmdet` fails. This file is that module. Python
prefers an extension module over a source file of the same name, so a compiled
mmcv in the same folder wins and this file is not read.
"""

from typing import Any

from mmcv_ext_torch.build_info import get_compiler_version, get_compiling_cuda_version
from mmcv_ext_torch.focal_loss import (
    sigmoid_focal_loss_backward,
    sigmoid_focal_loss_forward,
)
from mmcv_ext_torch.ms_deform_attn import (
    ms_deform_attn_backward,
    ms_deform_attn_forward,
)
from mmcv_ext_torch.nms import nms
from mmcv_ext_torch.roi_align import roi_align_backward, roi_align_forward
from mmcv_ext_torch.unavailable import UnavailableOp

__all__ = [
    "get_compiler_version",
    "get_compiling_cuda_version",
    "ms_deform_attn_backward",
    "ms_deform_attn_forward",
    "nms",
    "roi_align_backward",
    "roi_align_forward",
    "sigmoid_focal_loss_backward",
    "sigmoid_focal_loss_forward",
]


def __getattr__(name: str) -> Any:
    # `ext_loader` asserts hasattr for ~150 operators while mmcv.ops is imported, so
    # a missing operator may only complain when it is called.
    if name.startswith("_"):
        raise AttributeError(f"module 'mmcv._ext' has no attribute {name!r}")
    return UnavailableOp(name)
