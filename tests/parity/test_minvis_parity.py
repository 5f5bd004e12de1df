"""With equal weights, MinVIS and mmdet's Mask2Former for images are one decoder.

A frame is an image. Everything behind the decoder (tracking, classes, masks) is written
out here and compared with the tracks of the model.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import golden_kit
from helpers.fixed_points import FixedPoints
from helpers.golden_run import decode, run_trunk
from helpers.mmdet_pair import FRAMES, META, ORIGINAL, build_pair, clips, targets
from helpers.readable_tracking import tracked
from mmdet.models.dense_heads import mask2former_head
from mmengine.structures import InstanceData

from tmt_vis.structures import ClipDataSample

# Of narrow models, and of full ones, whose mask logits reach 19.
TOLERANCE, FULL_TOLERANCE = 2e-5, 1e-4


@pytest.fixture(scope="module", params=["resnet", "swin"])
def pair(request):
    return build_pair(FRAMES, request.param, small=True)


@pytest.fixture(scope="module", params=["resnet", "swin"])
def full_pair(request):
    return build_pair(FRAMES, request.param, small=False)


@torch.no_grad()
def theirs_decode(model, frames):
    """Return class logits (S, T, Q, K + 1), masks (S, T, Q, H, W), queries."""
    head, queries = model.panoptic_head, []
    norm = head.transformer_decoder.post_norm
    handle = norm.register_forward_hook(lambda *call: queries.append(call[-1]))
    scores, masks = head(model.backbone(frames), None)
    handle.remove()
    logits, masks, queries = map(torch.stack, (scores, masks, queries))
    return SimpleNamespace(logits=logits, masks=masks, queries=queries)


def check_stages(pair, num_frames, tolerance=TOLERANCE):
    theirs, ours = pair
    inputs = clips(1, num_frames)
    expected = theirs_decode(theirs, inputs[0])
    got = decode(run_trunk(ours, inputs))
    options = dict(rtol=0, atol=tolerance)
    torch.testing.assert_close(got.class_logits, expected.logits, **options)
    torch.testing.assert_close(got.masks.squeeze(3), expected.masks, **options)
    torch.testing.assert_close(got.queries, expected.queries, **options)


def written_out(theirs, frames, limit):
    """Return scores, slots and mask logits (k, T, H, W) of the best tracks."""
    out = theirs_decode(theirs, frames)
    logits, masks, queries = out.logits[-1], out.masks[-1], out.queries[-1]
    order = tracked(queries.numpy())
    logits = torch.stack([f[o] for f, o in zip(logits, order, strict=True)])
    masks = torch.stack([f[o] for f, o in zip(masks, order, strict=True)], 1)
    probs = logits.mean(0).softmax(-1)[:, :-1]
    scores, best = probs.flatten().topk(limit)
    padded, image = META["batch_input_shape"], META["img_shape"]
    masks = F.interpolate(masks[best // probs.shape[1]], padded, mode="bilinear")
    masks = masks[..., : image[0], : image[1]]
    masks = F.interpolate(masks, ORIGINAL, mode="bilinear")
    return scores, best % probs.shape[1], masks


def check_tracks(pair, num_frames):
    theirs, ours = pair
    inputs = clips(1, num_frames)
    scores, labels, logits = written_out(theirs, inputs[0], 10)
    sample = ClipDataSample(metainfo=dict(META, label_space="ytvis19"))
    tracks = ours.predict(inputs, [sample])[0].pred_tracks
    torch.testing.assert_close(tracks.scores, scores, rtol=0, atol=1e-5)
    assert torch.equal(tracks.labels, labels)
    masks = torch.from_numpy(np.stack([tube.decode() for tube in tracks.tubes]))
    assert masks.shape == logits.shape and 0 < masks.float().mean() < 1
    wrong = masks != (logits > 0)
    # A logit that is 0 but for rounding may fall on either side.
    assert wrong.sum() <= 5 and (logits[wrong].abs() < 1e-4).all()


def check_losses(pair, num_frames, monkeypatch):
    """Frames are images; an instance that is absent from one is no target there."""
    theirs, ours = pair
    # No frame is empty: mmdet counts a mask for an image without any.
    truth = [targets(num_frames, instances=n) for n in (3, 2)]
    head = theirs.panoptic_head
    points = golden_kit.fixed_points(head.num_points)
    patch_points(monkeypatch, ours, points)
    inputs = clips(len(truth), num_frames)
    out = theirs_decode(theirs, inputs.flatten(0, 1))
    images = []
    for labels, masks in truth:
        for frame in masks.unbind(1):
            seen = frame.flatten(1).any(1)
            images.append(InstanceData(labels=labels[seen], masks=frame[seen].long()))
    with torch.no_grad():
        expected = head.loss_by_feat(
            list(out.logits), list(out.masks), images, [META] * len(images)
        )
        samples = [our_sample(*each) for each in truth]
        got = ours.loss(inputs, samples)
    assert set(got) == set(expected)
    for name, value in expected.items():
        assert got[name].item() == pytest.approx(value.item(), rel=1e-4), name


def our_sample(labels, masks):
    sample = ClipDataSample(metainfo=dict(META, label_space="ytvis19"))
    sample.gt_instances = InstanceData(labels=labels, masks=masks)
    return sample


def patch_points(monkeypatch, ours, points):
    monkeypatch.setattr(mask2former_head.torch, "rand", lambda *a, **k: points)
    monkeypatch.setattr(
        mask2former_head,
        "get_uncertain_point_coords_with_randomness",
        lambda masks, *args: points.expand(len(masks), -1, -1),
    )
    sampler = FixedPoints(points)
    monkeypatch.setattr(ours.head.supervision.criterion, "points", sampler)


@pytest.mark.parametrize("num_frames", [1, 2, 5])
def test_every_stage_of_every_frame(pair, num_frames):
    check_stages(pair, num_frames)


@pytest.mark.parametrize("num_frames", [1, 2, 5])
def test_tracks(pair, num_frames):
    check_tracks(pair, num_frames)


@pytest.mark.parametrize("num_frames", [1, 2])
def test_losses(pair, num_frames, monkeypatch):
    check_losses(pair, num_frames, monkeypatch)


# Five frames of Swin hold a mask logit so near 0 that rounding decides whether a query
# attends there, and its class logits then differ by 4e-3.
@pytest.mark.slow
@pytest.mark.parametrize("num_frames", [1, 2, 3])
def test_full_size(full_pair, num_frames, monkeypatch):
    check_stages(full_pair, num_frames, FULL_TOLERANCE)
    check_tracks(full_pair, num_frames)
    check_losses(full_pair, num_frames, monkeypatch)
