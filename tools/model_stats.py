"""Size and cost of the model of a config, part by part, on the CPU.

    python tools/model_stats.py CONFIG
    python tools/model_stats.py CONFIG --shape 5 480 864
    python tools/model_stats.py CONFIG --text-dim 1024   # without text embeddings

GFLOPs are those of a prediction; a multiplication and an addition are two operations
(other tables count them as one and get half). Counted are convolutions and matrix
products, by torch.utils.flop_counter; element-wise operations, norms and the sampling
of deformable attention are not. Activations are what one training step keeps for its
backward pass.
"""

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tmt_vis.command_line import ToolParser, integer, tool
from tmt_vis.engine import read_config
from tmt_vis.models import TMTVIS
from tmt_vis.structures import ClipDataSample
from tmt_vis.text import TextEmbeddingError

# The first prefix that fits names the part; what is left of the head is the decoder.
PARTS = {
    "backbone": "backbone.",
    "pixel decoder": "head.pixel_decoder.",
    "tcm": "head.guidance.tcm.",
    "tim": "head.guidance.tim.",
    "classifier": "head.query_decoder.cls_embed.",
    "decoder": "head.",
}
_STRIDE = 32


class Parameters(NamedTuple):
    """Numbers of parameters; buffers are not counted."""

    total: int
    trainable: int


def count_parameters(model: nn.Module) -> dict[str, Parameters]:
    """Count the parameters of each part.

    Args:
        model: On any device, also the meta device.
    """
    counts = {part: [0, 0] for part in PARTS}
    for name, parameter in model.named_parameters():
        part = next(part for part, prefix in PARTS.items() if name.startswith(prefix))
        counts[part][0] += parameter.numel()
        counts[part][1] += parameter.numel() * parameter.requires_grad
    return {part: Parameters(*both) for part, both in counts.items() if both[0]}


@torch.no_grad()
def count_flops(model: TMTVIS, clip: Tensor) -> dict[str, int]:
    """Count the operations of the prediction of one clip, per part.

    Args:
        model: In evaluation mode.
        clip: (1, T, 3, H, W).
    """
    # Detached, because the counter hooks the backward pass of everything that needs
    # gradients, and fails where there will be none.
    weights = {name: tensor.detach() for name, tensor in model.named_parameters()}
    # The fused attention of the CPU is not known to the counter.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        functional_call(model, weights, (clip, None), dict(mode="tensor"))
    by_module = counter.get_flop_counts()
    modules = {
        part: f"{type(model).__name__}.{prefix.removesuffix('.')}"
        for part, prefix in PARTS.items()
        if part != "decoder"
    }
    flops = {
        part: sum(by_module[module].values())
        for part, module in modules.items()
        if module in by_module
    }
    return {**flops, "decoder": counter.get_total_flops() - sum(flops.values())}


def measure_activations(model: TMTVIS, clip: Tensor, *, instances: int) -> int:
    """Sum the memory that one training step keeps for its backward pass, in bytes.

    Args:
        model: Put into training mode.
        clip: (1, T, 3, H, W).
        instances: Objects in the clip.
    """
    weights = {t.untyped_storage().data_ptr() for t in model.state_dict().values()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            # Held until the end, or another tensor could get its address.
            kept[storage.data_ptr()] = storage
        return tensor

    model.train()
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        model.loss(clip, [_target(model, clip, instances)])
    return sum(storage.nbytes() for storage in kept.values())


def _target(model: TMTVIS, clip: Tensor, instances: int) -> ClipDataSample:
    _, num_frames, _, *size = clip.shape
    masks = torch.zeros(instances, num_frames, *size, dtype=torch.bool)
    masks[..., : size[0] // 2, : size[1] // 2] = True
    labels = torch.zeros(instances, dtype=torch.long)
    label_space = next(iter(model.head.vocabulary.taxonomy.label_spaces))
    sample = ClipDataSample(metainfo=dict(label_space=label_space))
    sample.gt_instances = InstanceData(labels=labels, masks=masks)
    return sample


def build_model(cfg: Config, text_dim: int | None) -> TMTVIS:
    """Build the model of a config.

    Args:
        cfg: The config.
        text_dim: Replace its text embeddings by meaningless ones of this width; None
            keeps them.
    """
    head = cfg.model.head
    if text_dim is not None and head.get("text_embeddings") is not None:
        print(f"note: meaningless text embeddings of width {text_dim}")
        encoder = dict(type="HashTextEncoder", dim=text_dim)
        head.text_embeddings = dict(encoder=encoder, template="{}")
    try:
        with DefaultScope.overwrite_default_scope("mmdet"):
            return MODELS.build(cfg.model)
    except TextEmbeddingError as error:
        raise TextEmbeddingError(
            f"{error}; or, to count only: --text-dim 1024"
        ) from error


def table(
    parameters: Mapping[str, Parameters], flops: Mapping[str, int], num_frames: int
) -> list[str]:
    """Lay out the numbers of all parts and their sums."""
    lines = [
        f"{'part':<14}{'parameters':>14}{'trainable':>14}{'GFLOPs/frame':>14}"
        f"{'GFLOPs/clip':>13}"
    ]
    rows = [(part, *parameters.get(part, (0, 0)), flops.get(part, 0)) for part in PARTS]
    rows = [row for row in rows if any(row[1:])]
    sums = [sum(column) for column in list(zip(*rows, strict=True))[1:]]
    for part, total, trainable, operations in [*rows, ("all", *sums)]:
        per_clip = operations / 1e9
        lines.append(
            f"{part:<14}{total:>14,}{trainable:>14,}{per_clip / num_frames:>14.2f}"
            f"{per_clip:>13.2f}"
        )
    return lines


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument(
        "--shape",
        type=integer(at_least=1),
        nargs=3,
        default=(2, 360, 640),
        metavar=("T", "H", "W"),
        help="frames, height and width of the clip; default: 2 360 640",
    )
    parser.add_argument(
        "--instances",
        type=integer(at_least=0),
        default=5,
        help="objects in the clip; default: 5",
    )
    parser.add_argument(
        "--text-dim",
        type=integer(at_least=1),
        metavar="D",
        help="stand-in for text embeddings that have not been made (CLIP RN50: 1024)",
    )
    return parser.parse_args(argv)


@tool
def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    args = parse_args(argv)
    model = build_model(read_config(args.config), args.text_dim).eval()
    num_frames, *size = args.shape
    height, width = (math.ceil(side / _STRIDE) * _STRIDE for side in size)
    clip = torch.randn(1, num_frames, 3, height, width)
    flops = count_flops(model, clip)
    print(f"{args.config.name}: {num_frames} frames of {height} x {width} (padded)")
    print("\n".join(table(count_parameters(model), flops, num_frames)))
    used = measure_activations(model, clip, instances=args.instances)
    print(f"activations of one training step: {used / 2**20:,.0f} MiB")


if __name__ == "__main__":
    sys.exit(main())
