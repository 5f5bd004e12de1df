"""Run a model of ours on a golden kit: convert, load strictly, decode."""

from types import SimpleNamespace

import torch
from helpers import golden_kit
from helpers.config_family import load
from helpers.fixed_points import FixedPoints
from mmdet.registry import MODELS

from tmt_vis.checkpoints import SourceCheckpoint, convert
from tmt_vis.ops import mask_logits


def load_kit(kit, config, label_space):
    """Convert the reference weights of a kit and load them into a config's model."""
    model = MODELS.build(load(config).model).eval()
    source = SourceCheckpoint(golden_kit.reference_weights(kit))
    converted = convert(source, source_labels=label_space)
    model.load_state_dict(converted.state_dict, strict=True)
    points = FixedPoints(golden_kit.fixed_points())
    part = getattr(model.head, "supervision", model.head)
    part.criterion.points = points
    return model


@torch.no_grad()
def run_trunk(model, clip):
    """Run backbone and pixel decoder on a clip (1, T, 3, H, W)."""
    levels = model.backbone(clip[0])
    pixels = model.head.pixel_features(levels, clip[0])
    features = model.head.clip_features(pixels, len(clip))
    return SimpleNamespace(
        model=model, levels=levels, pixels=pixels, features=features, clip=clip
    )


@torch.no_grad()
def decode(run):
    """Decode at all S stages what the model decodes together (B clips, T frames each).

    Returns:
        Class logits (S, B, Q, K + 1), masks (S, B, Q, T, H, W), queries (S, B, Q, C).
    """
    outputs = run.model.head.decode(
        run.features, None, run.model.head.supervision.stages
    )
    features = run.features.mask_features
    return SimpleNamespace(
        class_logits=torch.stack([o.class_logits for o in outputs]),
        masks=torch.stack([mask_logits(o.mask_embeds, features) for o in outputs]),
        queries=torch.stack([o.queries for o in outputs]),
    )
