"""IDOL small enough for a CPU test: the same code, narrow and shallow."""

import torch
from helpers.tiny_model import CHANNELS, TEXT, _merge
from mmdet.registry import MODELS
from mmengine.structures import InstanceData

from tmt_vis.structures import ClipDataSample

QUERIES, LAYERS = 12, 2
SIZE, PADDED = (50, 90), (64, 96)
TAXONOMY = dict(
    text_embeddings=TEXT,
    compilation=dict(
        type="TaxonomyCompilationModule",
        num_taxonomy=5,
        adapter_dim=16,
        num_heads=4,
        ffn_channels=32,
    ),
    injection=dict(
        layers="first",
        layer=dict(
            type="TaxonomyInjectionLayer",
            num_heads=4,
            ffn_channels=32,
            norm_first=True,
            layer_scale=0.0,
        ),
    ),
)


def model_cfg(*, label_spaces=("ytvis19", "ovis"), taxonomy=False, **head) -> dict:
    """Make the config of a detector with an 18-layer ResNet of base width 16."""
    layers = dict(num_layers=LAYERS, num_heads=4, num_points=2, ffn_channels=32)
    cfg = dict(
        type="IDOLHead",
        taxonomy=dict(label_spaces=list(label_spaces)),
        neck=dict(
            type="ChannelMapper",
            in_channels=[32, 64, 128],
            out_channels=CHANNELS,
            kernel_size=1,
            bias=True,
            norm_cfg=dict(type="GN", num_groups=8),
            act_cfg=None,
            num_outs=4,
        ),
        query_decoder=dict(
            channels=CHANNELS,
            num_queries=QUERIES,
            encoder=dict(layers, dropout=0.0),
            decoder=dict(layers, dropout=0.0),
        ),
        test_cfg=dict(max_per_video=100, min_score=0.05),
    )
    if taxonomy:
        cfg |= TAXONOMY
    return dict(
        type="VideoSegmentor",
        data_preprocessor=dict(type="ClipDataPreprocessor"),
        backbone=dict(
            type="ResNet",
            depth=18,
            base_channels=16,
            stem_channels=16,
            num_stages=4,
            out_indices=(0, 1, 2, 3),
            norm_cfg=dict(type="BN", requires_grad=False),
            norm_eval=True,
        ),
        head=_merge(cfg, head),
    )


def eager_idol(*, taxonomy: bool) -> dict:
    """Make the config of a detector that reports what it is not sure of, too."""
    return model_cfg(
        taxonomy=taxonomy,
        selection=dict(threshold=0.0),
        tracker=dict(new_track=0.0, first_track=0.0),
        test_cfg=dict(max_per_video=10, min_score=0.0),
    )


def build(**options):
    """Build a detector, always with the same weights."""
    torch.manual_seed(0)
    return MODELS.build(model_cfg(**options))


def clip(num_frames: int = 2, seed: int = 0) -> torch.Tensor:
    """Make noise (T, 3, H, W) with zeros in the padding."""
    draw = torch.Generator().manual_seed(seed)
    frames = torch.zeros(num_frames, 3, *PADDED)
    frames[..., : SIZE[0], : SIZE[1]] = torch.randn(
        num_frames, 3, *SIZE, generator=draw
    )
    return frames


def sample(
    present=((True, True), (True, True)), *, label_space="ovis", labels=(3, 7)
) -> ClipDataSample:
    """Make a pair with two boxes.

    Args:
        present: of each object, in key and reference frame.
        label_space: of the labels.
        labels: slots of the two objects.
    """
    meta = dict(img_shape=SIZE, ori_shape=SIZE, batch_input_shape=PADDED)
    made = ClipDataSample(metainfo=dict(meta, label_space=label_space, clip_seed=1))
    masks = torch.zeros(2, 2, *PADDED, dtype=torch.bool)
    for index, row in enumerate(present):
        for frame, seen in enumerate(row):
            left = 8 + 40 * index + 4 * frame
            masks[index, frame, 10:34, left : left + 28] = seen
    made.gt_instances = InstanceData(labels=torch.tensor(labels), masks=masks)
    return made
