"""Packed clips become one padded, normalised batch."""

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.structures import InstanceData

from tmt_vis.models.data_preprocessors import ClipDataPreprocessor
from tmt_vis.structures import ClipDataSample

MEAN, STD = (10.0, 20.0, 30.0), (2.0, 4.0, 5.0)


def build(**options) -> ClipDataPreprocessor:
    cfg = dict(type="ClipDataPreprocessor", mean=MEAN, std=STD, **options)
    return MODELS.build(cfg)


def sample(height: int, width: int, *, frames: int = 2, count: int = 1):
    masks = torch.ones(count, frames, height, width, dtype=torch.bool)
    truth = InstanceData(
        labels=torch.arange(count), ids=torch.arange(count), masks=masks
    )
    result = ClipDataSample(metainfo=dict(img_shape=(height, width)))
    result.gt_instances = truth
    result.ignored_instances = truth[:0]
    return result


def batch(*sizes, frames: int = 2) -> dict:
    clips = [torch.full((frames, 3, h, w), 40, dtype=torch.uint8) for h, w in sizes]
    samples = [sample(h, w, frames=frames) for h, w in sizes]
    return dict(inputs=clips, data_samples=samples)


def test_clips_are_stacked_and_padded_at_bottom_and_right():
    out = build()(batch((33, 40), (20, 65)))
    inputs, samples = out["inputs"], out["data_samples"]
    assert inputs.shape == (2, 2, 3, 64, 96) and inputs.dtype == torch.float32
    for clip, (h, w) in zip(inputs, [(33, 40), (20, 65)], strict=True):
        assert (clip[..., :h, :w] != 0).all()
        assert clip[..., h:, :].abs().sum() == clip[..., w:].abs().sum() == 0
    assert [s.batch_input_shape for s in samples] == [(64, 96)] * 2
    assert [s.img_shape for s in samples] == [(33, 40), (20, 65)]
    masks = samples[1].gt_instances.masks
    assert masks.dtype == torch.bool and masks.shape == (1, 2, 64, 96)
    assert masks[..., :20, :65].all() and masks.sum() == 2 * 20 * 65
    assert samples[1].ignored_instances.masks.shape == (0, 2, 64, 96)


def test_sizes_that_fit_are_not_padded():
    assert build()(batch((64, 32)))["inputs"].shape == (1, 2, 3, 64, 32)
    divisor = build(pad_size_divisor=10)
    assert divisor(batch((64, 32)))["inputs"].shape == (1, 2, 3, 70, 40)


def test_normalisation_is_in_rgb_order_after_the_conversion():
    clip = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    clip[:, 0], clip[:, 1], clip[:, 2] = 35, 28, 16  # B, G, R
    data = dict(inputs=[clip], data_samples=None)
    pixel = build()(data)["inputs"][0, 0, :, 0, 0]
    assert pixel.tolist() == pytest.approx([6 / 2, 8 / 4, 5 / 5])
    kept = build(bgr_to_rgb=False)(data)["inputs"][0, 0, :, 0, 0]
    assert kept.tolist() == pytest.approx([25 / 2, 8 / 4, -14 / 5])


def test_the_loaders_data_is_left_as_it_was():
    data, preprocessor = batch((33, 40), (20, 65)), build()
    before = [clip.clone() for clip in data["inputs"]]
    first = preprocessor(data, training=True)
    second = preprocessor(data, training=True)
    assert torch.equal(first["inputs"], second["inputs"])
    assert data["data_samples"][0].gt_instances.masks.shape[-2:] == (33, 40)
    assert "batch_input_shape" not in data["data_samples"][0]
    for clip, original in zip(data["inputs"], before, strict=True):
        assert torch.equal(clip, original)


def test_float_clips_are_not_changed_in_place():
    clip = torch.rand(1, 3, 32, 32) * 255
    before = clip.clone()
    build(bgr_to_rgb=False)(dict(inputs=[clip], data_samples=None))
    assert torch.equal(clip, before)


def test_float_and_uint8_clips_agree():
    data = batch((32, 32))
    as_float = dict(data, inputs=[clip.float() for clip in data["inputs"]])
    assert torch.equal(build()(data)["inputs"], build()(as_float)["inputs"])


def test_different_numbers_of_frames_are_an_error():
    data = batch((32, 32))
    data["inputs"].append(torch.zeros(3, 3, 32, 32, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"same number of frames, got \[2, 3\]"):
        build()(data)


def test_windows_of_a_video_can_be_normalised_alone():
    data, preprocessor = batch((32, 32), frames=5), build()
    whole = preprocessor(data)["inputs"][0]
    assert torch.equal(preprocessor.normalize(data["inputs"][0][1:3]), whole[1:3])


def test_test_samples_without_ground_truth_pass():
    data = batch((32, 40))
    del data["data_samples"][0].gt_instances
    out = build()(data)
    assert out["data_samples"][0].batch_input_shape == (32, 64)


@pytest.mark.gpu
def test_everything_moves_to_the_device():
    preprocessor = build().cuda()
    out = preprocessor(batch((33, 40)))
    assert out["inputs"].is_cuda
    assert out["data_samples"][0].gt_instances.masks.is_cuda
