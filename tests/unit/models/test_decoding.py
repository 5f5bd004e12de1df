"""Tubes of the kept queries: the reference upsamples, thresholds, then encodes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tmt_vis.models.postprocessing import (
    query_mask_logits,
    tubes_from_logits,
    video_tracks,
)
from tmt_vis.ops import mask_logits
from tmt_vis.streaming import LinkedObject
from tmt_vis.structures import ClipDataSample, encode_tubes

SIZES = dict(batch_input_shape=(32, 64), img_shape=(27, 61), ori_shape=(37, 83))


@pytest.mark.parametrize("num_frames", [1, 5])
@pytest.mark.parametrize("per_frame", [False, True])
def test_tubes_are_those_of_the_upsampled_masks(num_frames, per_frame):
    torch.manual_seed(0)
    embeds, features = torch.randn(3, 8), torch.randn(num_frames, 8, 8, 16)
    features[:, :, 4:] = 0  # also masks whose first or last pixels are the object's
    logits = mask_logits(embeds[None], features[None])[0]
    logits = F.interpolate(logits, size=(32, 64), mode="bilinear")[..., :27, :61]
    masks = F.interpolate(logits, size=(37, 83), mode="bilinear") > 0
    if per_frame:
        embeds = embeds.repeat(num_frames, 1, 1)
    sample = ClipDataSample(metainfo=SIZES)
    kept = query_mask_logits(embeds, features)
    tubes, quality = tubes_from_logits(kept, sample, num_frames=num_frames)
    assert tubes == encode_tubes(masks.numpy()) and quality is None
    again, quality = tubes_from_logits(
        kept, sample, num_frames=num_frames, quality=True
    )
    assert again == tubes
    inside = [x[x > 0].sigmoid() for x in logits]
    expected = torch.tensor([[float(x.sum()), len(x)] for x in inside])
    torch.testing.assert_close(quality, expected.double(), rtol=1e-6, atol=0)


def test_no_query_gives_no_tube():
    sample = ClipDataSample(metainfo=SIZES)
    kept = query_mask_logits(torch.zeros(0, 8), torch.zeros(2, 8, 8, 16))
    tubes, quality = tubes_from_logits(kept, sample, num_frames=2, quality=True)
    assert tubes == [] and quality.shape == (0, 2)


def test_nearest_masks_are_thresholded_at_the_size_of_the_input():
    torch.manual_seed(1)
    embeds, features = torch.randn(3, 8), torch.randn(2, 8, 8, 16)
    logits = mask_logits(embeds[None], features[None])[0]
    logits = F.interpolate(logits, size=(32, 64), mode="bilinear")[..., :27, :61]
    masks = F.interpolate((logits.sigmoid() > 0.5).float(), size=(37, 83)) > 0.5
    sample = ClipDataSample(metainfo=SIZES)
    kept = query_mask_logits(embeds, features)
    tubes, _ = tubes_from_logits(kept, sample, num_frames=2, nearest=True)
    assert tubes == encode_tubes(masks.numpy())
    assert tubes != tubes_from_logits(kept, sample, num_frames=2).tubes


def test_pairs_of_a_video_are_ranked_and_say_what_belongs_together():
    tube = encode_tubes(torch.zeros(1, 2, 4, 5, dtype=torch.bool).numpy())[0]
    probs = np.array([[0.1, 0.6], [0.05, 0.3]], np.float32)
    objects = [LinkedObject(row, tube, n) for row, n in zip(probs, (4, 7), strict=True)]
    tracks = video_tracks(objects, 10, min_score=0.05)
    assert tracks.labels.tolist() == [1, 1, 0]  # 0.05 is not above 0.05
    assert tracks.track_ids.tolist() == [4, 7, 4]
    assert len(video_tracks(objects, 10)) == 4 and len(video_tracks(objects, 2)) == 2
    assert len(video_tracks(objects, 10, min_score=0.7)) == 0
    assert len(video_tracks([], 10).track_ids) == 0
