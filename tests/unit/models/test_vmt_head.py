"""What the head of Video Mask Transfiner does at its edges."""

import logging

import pytest
import torch
from helpers import tiny_vmt

from tmt_vis.models.heads import vmt_head
from tmt_vis.models.incoherent_pixels import (
    PixelChoice,
    PixelRefiner,
    edge_ring,
    incoherent_band,
)
from tmt_vis.models.mask_cascade import FrameObjects, box_masks
from tmt_vis.structures import ClipDataSample


def predict(model, size, *, frames=2, output=None):
    """Predict noise of a size."""
    clip = torch.randn(1, frames, 3, *size, generator=torch.Generator().manual_seed(0))
    names = dict(img_shape=size, ori_shape=output or size, batch_input_shape=size)
    sample = ClipDataSample(metainfo=dict(names, label_space="ytvis19"))
    with torch.no_grad():
        return model.predict(clip, [sample])[0].pred_tracks


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (45, 75), (64, 33), (7, 200)])
def test_frames_of_any_size(size):
    model, seen = tiny_vmt.build(), []
    model.backbone.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape))
    tracks = predict(model, size, output=(20, 31))
    assert {shape[-2:] for shape in seen} == {size}, "nothing is padded"
    assert {(t.height, t.width) for t in tracks.tubes} == {(20, 31)}


def test_pairs_of_the_spare_columns_compete_and_are_no_tracks():
    model = tiny_vmt.build()
    branch = model.head.query_decoder.cls_branches[-1]
    with torch.no_grad():
        branch.bias[1:-1] = 0
        plain = predict(model, (32, 64))
        assert len(plain) == 10
        branch.bias[0] = 9  # of all eight queries
        tracks = predict(model, (32, 64))
    assert len(tracks) == 10 - tiny_vmt.QUERIES
    assert torch.equal(tracks.scores, plain.scores[: len(tracks)])


def test_tracks_without_a_pixel_stay():
    model = tiny_vmt.build()
    with torch.no_grad():
        model.head.cascade.controllers[2][-1].weight.zero_()
        model.head.cascade.controllers[2][-1].bias.fill_(-1)
        tracks = predict(model, (32, 64))
    assert len(tracks) == 10 and not any(tube.area for tube in tracks.tubes)


@pytest.mark.parametrize("value", [-9, 9], ids=["empty", "whole frame"])
def test_frames_without_or_full_of_objects(value):
    """No pixel is incoherent, or those along the border of the frame are."""
    model = tiny_vmt.build()
    with torch.no_grad():
        fine = model.head.cascade.controllers[1][-1]
        fine.weight.zero_()
        fine.bias.zero_()[-1] = value
        assert len(predict(model, (32, 64)))


def test_pixels_beyond_the_limit_are_reported(caplog, monkeypatch):
    logger = logging.getLogger("test_vmt_head")  # MMEngine's passes nothing on
    monkeypatch.setattr(vmt_head.MMLogger, "get_current_instance", lambda: logger)
    model = tiny_vmt.build(cascade=dict(pixels=dict(max_pixels=3)))
    fine = model.head.cascade.controllers[1][-1]
    with torch.no_grad(), caplog.at_level(logging.WARNING):
        fine.weight.zero_()
        fine.bias.zero_()[-1] = 9
        predict(model, (32, 64))
    (record,) = [r for r in caplog.records if "incoherent" in r.getMessage()]
    assert record.args == (2, 3, 2 * (16 * 32 - 4 * 20 - 3))


def test_a_band_of_six_pixels_on_either_side():
    mask = torch.zeros(40, 60, dtype=torch.bool)
    mask[:, 30:] = True
    (columns,) = incoherent_band(mask)[20].nonzero(as_tuple=True)
    # The second edge is along the frame's border, which is background outside.
    assert columns[columns < 50].tolist() == list(range(24, 36))
    assert columns[columns >= 50].tolist() == list(range(54, 60))


@pytest.mark.parametrize("thin", [(slice(20, 21), slice(5, 55)), (20, 30), (0, 0)])
def test_bands_of_thin_objects(thin):
    mask = torch.zeros(40, 60, dtype=torch.bool)
    mask[thin] = True
    padded = torch.nn.functional.pad(mask, (3, 3, 3, 3))
    taps = [padded[dy : dy + 40, dx : dx + 60] for dy in (0, 3, 6) for dx in (0, 3, 6)]
    ring = torch.stack(taps).any(0) & ~torch.stack(taps).all(0)
    assert torch.equal(edge_ring(mask), ring) and ring.any()
    assert not incoherent_band(torch.zeros_like(mask)).any()


def test_which_pixels_are_refined():
    band = torch.ones(20, 30, dtype=torch.bool)
    assert PixelChoice(max_pixels=600)(band, 0).tolist() == list(range(600))
    first = PixelChoice(max_pixels=50, order="row-major")(band, 0)
    assert first.tolist() == list(range(50))
    choose = PixelChoice(max_pixels=50)
    assert torch.equal(choose(band, 3), choose(band, 3))
    assert not torch.equal(choose(band, 3), choose(band, 4))
    assert not torch.equal(choose(band, 3), PixelChoice(max_pixels=50, seed=1)(band, 3))


@pytest.mark.parametrize("options", [dict(max_pixels=0), dict(order="best")])
def test_choices_that_cannot_be_made(options):
    with pytest.raises(ValueError, match=f"pixels.{next(iter(options))} must be"):
        PixelChoice(**options)


def test_the_order_of_pixels_does_not_matter():
    torch.manual_seed(0)
    refiner = PixelRefiner(channels=16, num_layers=2, num_heads=2, ffn_channels=8)
    tokens, pos = torch.randn(9, 16), refiner.positions((3, 3), torch.device("cpu"))
    order = torch.randperm(9)
    with torch.no_grad():
        whole = refiner.eval()(tokens, pos)
        assert torch.allclose(
            refiner(tokens[order], pos[order]), whole[order], atol=1e-6
        )


@pytest.mark.parametrize("start", [-0.5, -1.5, -12.0, 3.0, 19.0, 25.0])
def test_boxes_are_python_slices_unless_clamped(start):
    size, extent = (16, 20), 8.0
    box = torch.tensor([[(start + extent / 2) / 20, 0.5, extent / 20, 0.25]])
    for clamp in (False, True):
        begin, end = int(start), int(start + extent)
        begin, end = (max(begin, 0), max(end, 0)) if clamp else (begin, end)
        expected = torch.zeros(size, dtype=torch.bool)
        expected[6:10, begin:end] = True
        assert torch.equal(box_masks(box, size, clamp=clamp)[0], expected)


def test_no_objects():
    model = tiny_vmt.build().train()
    cascade, images = model.head.cascade, torch.randn(1, 3, 64, 96)
    pixels = model.head.pixel_features(model.backbone(images), images)
    memory = model.head.encode(pixels, [(64, 96)], (64, 96))
    (maps,) = model.head._frame_maps(memory, pixels)
    objects = FrameObjects(torch.zeros(0, 2), torch.zeros(0, 4))
    found = cascade(cascade.control(torch.zeros(0, 32)), objects, maps)
    assert found.refined.shape == (0, 64, 96) and not found.band.any()
