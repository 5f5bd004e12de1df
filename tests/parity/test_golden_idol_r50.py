"""IDOL R50 computes what VNext's IDOL computes, from frames to tracks.

The reference weights go through the converter; the numbers they must lead to are in
tests/fixtures/golden.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import golden_kit
from helpers.config_family import load
from helpers.golden_arrays import check, mean_std
from mmdet.registry import MODELS

from tmt_vis.checkpoints import SourceCheckpoint, convert
from tmt_vis.models.trackers import UNTRACKED, FrameDetections
from tmt_vis.ops import keep_best, mask_overlaps, to_corners
from tmt_vis.structures import ClipDataSample

KIT = "idol_r50"
FRAMES, IMAGE, PADDED, OUTPUT = 3, (90, 150), (96, 160), (180, 300)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run():
    """Convert, load strictly, and run the frames of the kit up to the decoder."""
    model = MODELS.build(load("idol/idol_r50_8xb4-12k_ytvis21").model).eval()
    source = SourceCheckpoint(golden_kit.reference_weights(KIT))
    converted = convert(source, arch="idol", source_labels="ytvis21")
    model.load_state_dict(converted.state_dict, strict=True)
    first = int(golden_kit.golden(KIT)["meta/t0"])
    clip = golden_kit.frames(FRAMES, first, size=IMAGE)
    with torch.no_grad():
        levels = model.backbone(clip[0])
        memory = model.head.encode(
            model.head.pixel_features(levels, clip[0]), [IMAGE] * FRAMES
        )
        queries = model.head.decode(memory, None)
    return SimpleNamespace(
        model=model, clip=clip, levels=levels, memory=memory, queries=queries
    )


def test_backbone_and_encoder(run):
    for level, stage in zip(run.levels, (3, 4, 5), strict=True):
        check(KIT, f"backbone/res{stage}_mean_std", mean_std(level))
    tokens = run.memory.tokens
    check(KIT, "encoder/memory_sample", tokens[:, ::5, ::16])
    check(KIT, "encoder/memory_mean_std", mean_std(tokens))


def test_decoder(run):
    queries, parts = run.queries, run.model.head.query_decoder
    check(KIT, "decoder/states_sample", queries.states[:, :, ::10, ::8])
    check(KIT, "decoder/init_reference", queries.references[0])
    with torch.no_grad():
        boxes = parts.boxes(queries)
        features = parts.frame_features(run.memory)
        logits = parts.classes(queries.states[-1:], first=-1)[0]
        embeds = parts.embed_head(queries.states[-1])
        masks = torch.stack(
            [
                parts.masks(*frame, IMAGE)
                for frame in zip(
                    queries.states[-1], queries.references[-1], features, strict=True
                )
            ]
        )
    check(KIT, "decoder/inter_references", boxes[:, :, ::5])
    check(KIT, "mask/features", features[:, :, ::2, ::2])
    check(KIT, "mask/features_mean_std", mean_std(features))
    check(KIT, "frame/class_logits", logits)
    check(KIT, "frame/boxes_cxcywh", boxes[-1])
    check(KIT, "frame/reid_sample", embeds[:, ::5, ::4])
    check(KIT, "frame/mask_logits_sample", masks[:, ::5, ::3, ::4])
    check(KIT, "frame/mask_mean_std", mean_std(masks, 2))
    share = (masks > 0).flatten(2).float().mean(-1)
    check(KIT, "frame/fg_fraction", share)


def test_detections_and_identities(run):
    """What is left by each suppression, in order, and the ids of the tracker."""
    head, queries = run.model.head, run.queries
    parts = head.query_decoder
    state = head.tracker.start(parts.channels)
    with torch.no_grad():
        logits = parts.classes(queries.states[-1:], first=-1)[0]
        boxes = to_corners(parts.boxes(queries, first=-1)[0])
        features = parts.frame_features(run.memory)
        for frame in range(FRAMES):
            probs = logits[frame].sigmoid()
            chosen = head.selection(probs, boxes[frame])
            states = queries.states[-1][frame, chosen]
            references = queries.references[-1][frame, chosen]
            masks = parts.masks(states, references, features[frame], IMAGE) > 0
            scores = probs[chosen].amax(1)
            kept = keep_best(scores.numpy(), mask_overlaps(masks).numpy(), 0.5)
            found = FrameDetections(scores, parts.embed_head(states), masks)
            ids = head.tracker.update(found, state)
            check(KIT, f"track/after_box_nms_f{frame}", chosen)
            check(KIT, f"track/after_mask_nms_f{frame}", chosen[kept])
            theirs = golden_kit.golden(KIT)[f"track/ids_f{frame}"]
            assert ids[kept].tolist() == theirs.clip(min=UNTRACKED).tolist()


def test_tracks(run):
    names = dict(img_shape=IMAGE, ori_shape=OUTPUT, batch_input_shape=PADDED)
    sample = ClipDataSample(metainfo=dict(names, label_space="ytvis21"))
    with torch.no_grad():
        (predicted,) = run.model.predict(run.clip, [sample])
    tracks = predicted.pred_tracks
    assert len(tracks) == golden_kit.golden(KIT)["final/count"]
    check(KIT, "final/labels", tracks.labels)
    check(KIT, "final/scores", tracks.scores)
    areas = [[int(mask.sum()) for mask in tube.decode()] for tube in tracks.tubes]
    theirs = golden_kit.golden(KIT)["final/mask_area"]
    assert np.abs(np.array(areas) - theirs.clip(min=0)).max() <= 10
    assert len(set(tracks.track_ids.tolist())) > 3
