"""VITA R50 computes what the released VITA computes, on a golden kit.

The reference weights go through the converter; docs/checkpoints.md tells of the kit.
"""

from types import SimpleNamespace

import pytest
import torch
from helpers import golden_kit, golden_run
from helpers.golden_arrays import check, check_tracks, foreground, mean_std

from tmt_vis.ops import mask_logits
from tmt_vis.structures import ClipDataSample

pytestmark = pytest.mark.slow
KIT = "vita_r50"
CONFIG = "vita/vita_r50_8xb1-188k_ytvis21"
FRAMES, SIZE, ORIGINAL = 13, (60, 90), (120, 180)


@pytest.fixture(scope="module")
def model():
    return golden_run.load_kit(KIT, CONFIG, "ytvis21")


@pytest.fixture(scope="module")
def run(model):
    return run_video(model, golden_kit.frames(FRAMES, first_frame(), size=SIZE))


def first_frame():
    return int(golden_kit.golden(KIT)["meta/t0"])


@torch.no_grad()
def run_video(model, clip):
    """Run all parts of the model one after the other on (1, T, 3, H, W)."""
    head = model.head
    levels = model.backbone(clip[0])
    pixels = head.pixel_features(levels, clip[0])
    frames = head.decode_frames(pixels, ["ytvis21"], head.stages[-1:])
    features = head.video.mask_feature(pixels.fine)
    queries = frames.outputs[-1].queries
    tokens = head.video.encoder(queries[None])
    start = head.video.decoder.initial_queries(1)
    video = head.video.predict(tokens, start, head.vocabulary)
    return SimpleNamespace(
        levels=levels,
        pixels=pixels,
        frame=frames.outputs[-1],
        frame_masks=mask_logits(
            frames.outputs[-1].mask_embeds, pixels.mask_features[:, None]
        )[:, :, 0],
        features=features,
        tokens=tokens[0],
        frame_embeds=head.video.frame_embed(tokens)[0],
        class_logits=video.class_logits[-1, 0],
        mask_embeds=video.mask_embeds[-1, 0],
        video_embeds=head.video.video_embed(video.queries)[0],
        masks=mask_logits(video.mask_embeds[-1], features[None])[0],
    )


ARRAYS = {
    "backbone/res2_mean_std": lambda r: mean_std(r.levels[0]),
    "backbone/res3_mean_std": lambda r: mean_std(r.levels[1]),
    "backbone/res4_mean_std": lambda r: mean_std(r.levels[2]),
    "backbone/res5_mean_std": lambda r: mean_std(r.levels[3]),
    "backbone/res5_sample": lambda r: r.levels[3][:, ::64],
    "frame/class_logits_sample": lambda r: r.frame.class_logits[:, ::4],
    "frame/mask_mean_std": lambda r: mean_std(r.frame_masks, 2),
    "frame/mask_logits_sample": lambda r: r.frame_masks[:, ::5, ::5, ::6],
    "frame/fg_fraction": lambda r: foreground(r.frame_masks, 2),
    "frame/queries_sample": lambda r: r.frame.queries[:, ::5, ::8],
    "frame/m3_sample": lambda r: r.pixels.fine[:, ::16, ::4, ::4],
    "frame/m3_mean_std": lambda r: mean_std(r.pixels.fine),
    "video/mask_features_sample": lambda r: r.features[:, ::16, ::4, ::4],
    "video/mask_features_mean_std": lambda r: mean_std(r.features),
    "video/class_logits": lambda r: r.class_logits,
    "video/mask_embed_sample": lambda r: r.mask_embeds[:, ::4],
    "video/sim_frame_sample": lambda r: r.frame_embeds[:, ::10, ::8],
    "video/sim_clip_sample": lambda r: r.video_embeds[:, ::4],
    "video/mask_logits_sample": lambda r: r.masks[::2, :, ::2, ::3],
    "video/mask_mean_std": lambda r: mean_std(r.masks, 2),
    "video/fg_fraction": lambda r: foreground(r.masks, 2),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_every_array(run, name):
    check(KIT, name, ARRAYS[name](run))


@pytest.mark.parametrize("padded", [True, False])
def test_tracks(model, padded):
    clip = golden_kit.frames(FRAMES, first_frame(), size=SIZE)
    height, width = SIZE
    if not padded:
        clip = clip[..., :height, :width]
    meta = dict(label_space="ytvis21", img_shape=SIZE, ori_shape=ORIGINAL)
    (predicted,) = model.predict(clip, [ClipDataSample(metainfo=meta)])
    check_tracks(KIT, predicted.pred_tracks)
