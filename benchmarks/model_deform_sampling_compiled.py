"""The sampling of multi-scale deformable attention on a CPU, compiled."""

import shutil
from collections.abc import Iterator

import torch

from .common import Options, Row, Skipped, Spec, Target, compare_times
from .model_deform_sampling_cpu import check, inputs

SPEC = Spec(
    name="model/deform_sampling_compiled",
    reference="mmcv multi_scale_deformable_attn_pytorch",
    ours="torch.compile(ops.deform_attention)",
    target=Target(ratio=4),
    timeout=400,
)


@torch.no_grad()
def run(options: Options) -> Iterator[Row]:
    """Compare the forward; compiling itself is not counted."""
    if not any(map(shutil.which, ("g++", "clang++"))):
        raise Skipped("needs a C++ compiler")
    sampling, size = inputs(options)
    sampling.ours()  # makes the tables of the layout, which are no part of the graph
    yield compare_times(
        SPEC,
        options,
        size=f"{size}, forward",
        a=sampling.theirs,
        b=torch.compile(sampling.ours, dynamic=False),
        check=check,
        note="compiling, half a minute for every size, is not counted",
    )
