"""The backbone compiled."""

import copy
import shutil
from collections.abc import Iterator

import torch

from .advice_channels_last import backbone, check
from .common import Options, Row, Skipped, Spec, compare_times

SPEC = Spec(
    name="advice/compile",
    reference="ResNet-50, eager",
    ours="torch.compile(ResNet-50)",
    timeout=400,
)


@torch.no_grad()
def run(options: Options) -> Iterator[Row]:
    """Compare the forward of the backbone; compiling itself is not counted."""
    if not any(map(shutil.which, ("g++", "clang++"))):
        raise Skipped("needs a C++ compiler")
    plain, frames, size = backbone(options)
    compiled = torch.compile(copy.deepcopy(plain), dynamic=False)
    yield compare_times(
        SPEC,
        options,
        size=f"{size}, float32",
        a=lambda: plain(frames),
        b=lambda: compiled(frames),
        check=check,
        note="compiling, a minute for every size, is not counted",
    )
