"""GenVIS R50, online, computes what the released GenVIS computes, on a golden kit."""

from types import SimpleNamespace

import pytest
import torch
from helpers import golden_kit, golden_run
from helpers.golden_arrays import check, check_tracks, foreground, mean_std

from tmt_vis.models.prototype_memory import PrototypeBank
from tmt_vis.ops import mask_logits
from tmt_vis.structures import ClipDataSample

pytestmark = pytest.mark.slow
KIT = "genvis_r50_online"
CONFIG = "genvis/genvis-online_r50_4xb2-90k_ytvis21"
FRAMES, SIZE, ORIGINAL = 7, (60, 90), (120, 180)


@pytest.fixture(scope="module")
def model():
    return golden_run.load_kit(KIT, CONFIG, "ytvis21")


def video():
    first = int(golden_kit.golden(KIT)["meta/t0"])
    return golden_kit.frames(FRAMES, first, size=SIZE)


@pytest.fixture(scope="module")
@torch.no_grad()
def run(model):
    """Run all parts of the model one after the other."""
    head, clip = model.head, video()
    levels = model.backbone(clip[0])
    pixels = head.pixel_features(levels, clip[0])
    frame = head.decode_frames(pixels, ["ytvis21"], head.stages[-1:]).outputs[-1]
    state, bank = head.video.decoder.initial_queries(1), PrototypeBank()
    clips, tokens = [], []
    for queries in frame.queries:
        tokens.append(head.video.encoder(queries[None, None]))
        start = head.video.memory.read(state, bank)
        clips.append(head.video.predict(tokens[-1], start, head.vocabulary))
        state = clips[-1].state
        bank = head.video.memory.write(clips[-1].queries, bank)
    features = head.video.mask_feature(pixels.fine)
    masks = [
        mask_logits(out.mask_embeds[-1], each[None, None])[0]
        for out, each in zip(clips, features, strict=True)
    ]
    return SimpleNamespace(
        levels=levels,
        pixels=pixels,
        frame=frame,
        frame_masks=mask_logits(frame.mask_embeds, pixels.mask_features[:, None])[
            :, :, 0
        ],
        features=features,
        frame_embeds=torch.cat([head.video.frame_embed(x)[0] for x in tokens]),
        class_logits=torch.stack([out.class_logits[-1, 0] for out in clips]),
        mask_embeds=torch.stack([out.mask_embeds[-1, 0] for out in clips]),
        states=torch.cat([out.state for out in clips]),
        keys=bank.keys[0].transpose(0, 1),
        values=bank.values[0].transpose(0, 1),
        video_embeds=torch.cat([head.video.video_embed(out.queries) for out in clips]),
        masks=torch.cat(masks, 1),
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
    "clip/class_logits": lambda r: r.class_logits,
    "clip/mask_embed_sample": lambda r: r.mask_embeds[:, ::2, ::8],
    "clip/state_sample": lambda r: r.states[:, ::4, ::8],
    "clip/memory_k_sample": lambda r: r.keys[:, ::4, ::8],
    "clip/memory_v_sample": lambda r: r.values[:, ::4, ::8],
    "clip/sim_frame_sample": lambda r: r.frame_embeds[:, ::10, ::8],
    "clip/sim_clip_sample": lambda r: r.video_embeds[:, ::4, ::8],
    "video/mask_logits_sample": lambda r: r.masks[:, :, ::2, ::3],
    "video/mask_mean_std": lambda r: mean_std(r.masks, 2),
    "video/fg_fraction": lambda r: foreground(r.masks, 2),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_every_array(run, name):
    check(KIT, name, ARRAYS[name](run))


@pytest.mark.parametrize("padded", [True, False])
def test_tracks(model, padded):
    clip, (height, width) = video(), SIZE
    if not padded:
        clip = clip[..., :height, :width]
    meta = dict(label_space="ytvis21", img_shape=SIZE, ori_shape=ORIGINAL)
    (predicted,) = model.predict(clip, [ClipDataSample(metainfo=meta)])
    check_tracks(KIT, predicted.pred_tracks)
