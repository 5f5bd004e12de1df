"""Model configs small enough for a CPU test: the same code, narrow and shallow."""

import copy

import torch
from helpers.model_copies import ModelCopies
from mmdet.registry import MODELS
from mmengine.structures import InstanceData

from tmt_vis.structures import ClipDataSample

CHANNELS = 32
TEXT = dict(encoder=dict(type="HashTextEncoder", dim=24), template="{}")


def head_cfg(
    *, label_spaces=("ytvis19", "ovis"), taxonomy_modules=True, **overrides
) -> dict:
    """Make the config of a head with 3 decoder layers of 32 channels."""
    cfg = dict(
        type="TMTVISHead",
        num_queries=8,
        taxonomy=dict(label_spaces=list(label_spaces)),
        pixel_decoder=dict(
            type="ClipPixelDecoder",
            in_channels=[16, 32, 64, 128],
            strides=[4, 8, 16, 32],
            feat_channels=CHANNELS,
            out_channels=CHANNELS,
            num_outs=3,
            norm_cfg=dict(type="GN", num_groups=8),
            encoder=dict(
                num_layers=1,
                layer_cfg=dict(
                    self_attn_cfg=dict(
                        embed_dims=CHANNELS,
                        num_heads=4,
                        num_levels=3,
                        num_points=2,
                        im2col_step=1,
                        dropout=0.0,
                        batch_first=True,
                    ),
                    ffn_cfg=dict(
                        embed_dims=CHANNELS,
                        feedforward_channels=32,
                        num_fcs=2,
                        ffn_drop=0.0,
                        act_cfg=dict(type="ReLU", inplace=True),
                    ),
                ),
            ),
            positional_encoding=dict(num_feats=CHANNELS // 2, normalize=True),
        ),
        decoder=dict(num_layers=3, channels=CHANNELS, num_heads=4, ffn_channels=32),
        criterion=dict(points=dict(num_points=48)),
        test_cfg=dict(max_per_video=10),
    )
    if taxonomy_modules:
        cfg |= dict(
            text_embeddings=TEXT,
            compilation=dict(
                type="TaxonomyCompilationModule",
                num_taxonomy=5,
                adapter_dim=16,
                num_heads=4,
                ffn_channels=32,
            ),
            injection=dict(
                layers="all",
                layer=dict(type="TaxonomyInjectionLayer", num_heads=4, ffn_channels=32),
            ),
        )
    return _merge(cfg, overrides)


def model_cfg(**head: object) -> dict:
    """Make the config of a detector with an 18-layer ResNet of base width 16."""
    return dict(
        type="TMTVIS",
        data_preprocessor=dict(
            type="ClipDataPreprocessor",
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
            pad_size_divisor=32,
        ),
        backbone=dict(
            type="ResNet",
            depth=18,
            base_channels=16,
            stem_channels=16,
            num_stages=4,
            out_indices=(0, 1, 2, 3),
            norm_cfg=dict(type="BN", requires_grad=False),
            norm_eval=True,
            style="pytorch",
        ),
        head=head_cfg(**head),
    )


_built: dict[tuple[int, str], tuple[ModelCopies, torch.Tensor]] = {}


def build(seed: int = 0, **head: object) -> torch.nn.Module:
    """Build and initialise a tiny detector.

    Equal ones are built once and copied, which takes a tenth of the time; torch's
    generator is left as building leaves it.
    """
    key = (seed, repr(head))
    if key not in _built:
        torch.manual_seed(seed)
        model = MODELS.build(model_cfg(**head))
        model.init_weights()
        _built[key] = ModelCopies(model), torch.get_rng_state()
    copies, random_state = _built[key]
    torch.set_rng_state(random_state)
    return copies.make()


def samples(
    spaces=("ytvis19", "ovis"), *, frames=2, size=(64, 96), instances=2, seed=0
) -> tuple[torch.Tensor, list[ClipDataSample]]:
    """Make normalised clips ``(B, T, 3, H, W)`` and their ground truth."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(len(spaces), frames, 3, *size, generator=generator)
    out = []
    for index, space in enumerate(spaces):
        masks = torch.zeros(instances, frames, *size, dtype=torch.bool)
        for n in range(instances):
            masks[n, :, 8 * n : 8 * n + 24, 10 * n : 10 * n + 30] = True
        sample = ClipDataSample(
            gt_instances=InstanceData(
                labels=torch.arange(instances) + index,
                ids=torch.arange(instances),
                masks=masks,
            )
        )
        sample.set_metainfo(
            dict(
                dataset=space,
                label_space=space,
                video_id=index,
                frame_ids=list(range(frames)),
                ori_shape=(50, 75),
                img_shape=size,
                batch_input_shape=size,
                clip_seed=100 + index,
            )
        )
        out.append(sample)
    return inputs, out


def _merge(cfg: dict, overrides: dict) -> dict:
    cfg = copy.deepcopy(cfg)
    for key, value in overrides.items():
        old = cfg.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        replace = both and "type" in value and value["type"] != old.get("type")
        cfg[key] = _merge(old, value) if both and not replace else value
    return cfg
