"""With equal weights, the baseline and mmdet's Mask2FormerVideo are one model.

mmdet needs three shims: its head asserts more than one frame only where it reads the
ground truth (``preprocess_gt``), so targets are handed to ``loss_by_feat``; the number
of frames is part of its config; and both implementations are given the same points.
"""

from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from helpers import golden_kit
from helpers.fixed_points import FixedPoints
from helpers.mmdet_pair import META, ORIGINAL, VIDEO, build_pair, clips, targets
from mmdet.models.tracking_heads import mask2former_track_head
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.structures import InstanceData

from tmt_vis.structures import ClipDataSample


@pytest.fixture(scope="module", params=["resnet", "swin"])
def pair(request):
    return build_pair(VIDEO, request.param, small=True)


@pytest.fixture(scope="module", params=["resnet", "swin"])
def full_pair(request):
    return build_pair(VIDEO, request.param, small=False)


def theirs_predict(model, inputs):
    """Return scores, labels, masks and mask logits, best first."""
    frames = [DetDataSample(metainfo=META) for _ in range(inputs.shape[1])]
    video = TrackDataSample(video_data_samples=frames)
    with mock.patch.object(F, "interpolate", wraps=F.interpolate) as resize:
        (result,) = model.predict(inputs, [video])
    # The last thing it resizes are the logits of the ten tracks it returns.
    call = resize.call_args
    logits = F.interpolate(*call.args, **call.kwargs)
    per_frame = [frame.pred_track_instances for frame in result.video_data_samples]
    order = per_frame[0].scores.argsort(descending=True)
    masks = torch.stack([frame.masks for frame in per_frame], 1)
    first = per_frame[0]
    return first.scores[order], first.labels[order], masks[order], logits[order]


def ours_predict(model, inputs):
    sample = ClipDataSample(metainfo=dict(META, label_space="ytvis19"))
    tracks = model.predict(inputs, [sample])[0].pred_tracks
    masks = [torch.from_numpy(tube.decode()) for tube in tracks.tubes]
    return tracks.scores, tracks.labels, torch.stack(masks)


def check_predictions(pair, num_frames):
    theirs, ours = pair
    inputs = clips(1, num_frames)
    with torch.no_grad():
        scores, labels, masks, logits = theirs_predict(theirs, inputs)
        our_scores, our_labels, our_masks = ours_predict(ours, inputs)
    torch.testing.assert_close(our_scores, scores, rtol=0, atol=1e-5)
    assert torch.equal(our_labels, labels)
    assert masks.shape == our_masks.shape == (10, num_frames, *ORIGINAL)
    assert 0 < masks.float().mean() < 1
    # A logit that is 0 but for rounding may fall on either side.
    assert torch.equal(masks, logits > 0)
    assert (masks != our_masks).sum() <= 5
    assert (logits[masks != our_masks].abs() < 1e-4).all()


def check_losses(pair, num_frames, monkeypatch, *, bce_factor):
    theirs, ours = pair
    truth = [targets(num_frames, instances=n) for n in (3, 1)]
    num_points = theirs.track_head.num_points
    points = golden_kit.fixed_points(num_points)
    patch_points(monkeypatch, theirs, ours, points)
    inputs = clips(len(truth), num_frames)
    with torch.no_grad():
        expected = theirs_losses(theirs, inputs, truth, monkeypatch)
        got = ours.loss(inputs, [our_sample(*each) for each in truth])
    assert set(got) == set(expected)
    for name, value in expected.items():
        factor = bce_factor if name.endswith("loss_mask") else 1
        assert got[name].item() * factor == pytest.approx(value.item(), rel=1e-4), name


def patch_points(monkeypatch, theirs, ours, points):
    rand = torch.rand

    def fixed_rand(*args, **kwargs):
        size = args[0] if args and isinstance(args[0], tuple) else None
        return points if size == tuple(points.shape) else rand(*args, **kwargs)

    monkeypatch.setattr(torch, "rand", fixed_rand)
    monkeypatch.setattr(
        mask2former_track_head,
        "get_uncertain_point_coords_with_randomness",
        lambda masks, *args: points.expand(len(masks), -1, -1),
    )
    sampler = FixedPoints(points)
    monkeypatch.setattr(ours.head.supervision.criterion, "points", sampler)


def theirs_losses(model, inputs, truth, monkeypatch):
    head = model.track_head
    monkeypatch.setattr(head, "num_frames", inputs.shape[1])
    # In eval mode it takes the batch for one video.
    monkeypatch.setattr(head, "training", True)
    scores, masks = head(model.backbone(inputs.flatten(0, 1)), None)
    instances = [
        InstanceData(labels=labels, masks=each.long()) for labels, each in truth
    ]
    return head.loss_by_feat(scores, masks, instances, [META] * len(truth))


def our_sample(labels, masks):
    sample = ClipDataSample(metainfo=dict(META, label_space="ytvis19"))
    sample.gt_instances = InstanceData(labels=labels, masks=masks)
    return sample


@pytest.mark.parametrize("num_frames", [1, 2, 5])
def test_predictions(pair, num_frames):
    check_predictions(pair, num_frames)


@pytest.mark.parametrize("num_frames", [1, 2, 5])
def test_losses_up_to_the_bce_factor(pair, num_frames, monkeypatch):
    check_losses(pair, num_frames, monkeypatch, bce_factor=num_frames)


def test_the_bce_factor_can_be_had(pair, monkeypatch):
    monkeypatch.setattr(pair[1].head.supervision.criterion, "mmdet_bce_scale", True)
    check_losses(pair, 2, monkeypatch, bce_factor=1)


@pytest.mark.slow
@pytest.mark.parametrize("num_frames", [1, 2, 5])
def test_full_size(full_pair, num_frames, monkeypatch):
    check_predictions(full_pair, num_frames)
    check_losses(full_pair, num_frames, monkeypatch, bce_factor=num_frames)
