"""The detector: frozen parts, images for who asks, heads with windows of their own."""

import pytest
import torch
from helpers.tiny_model import build, model_cfg, samples
from mmdet.registry import MODELS
from torch import nn

from tmt_vis.models import TMTVIS, VideoSegmentor
from tmt_vis.streaming import TrackState, WindowPlan, choose_plan

# ------------------------------------------------------------------------- frozen


def _frozen(*names):
    torch.manual_seed(0)
    cfg = model_cfg() | dict(frozen=names)
    cfg["backbone"] = cfg["backbone"] | dict(norm_eval=False)
    cfg["backbone"]["norm_cfg"] = dict(type="BN", requires_grad=True)
    return MODELS.build(cfg)


def test_frozen_modules_learn_nothing_and_stay_in_evaluation_mode():
    model = _frozen("backbone", "head.pixel_decoder").train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    assert not model.backbone.training and not model.head.pixel_decoder.training
    assert not any(module.training for module in model.backbone.modules())
    assert model.training and model.head.query_decoder.training
    losses = model.loss(*samples(size=(32, 32)))
    sum(losses.values()).backward()
    learns = {
        name.split(".")[1] for name, p in model.named_parameters() if p.grad is not None
    }
    assert learns == {"query_decoder", "guidance"}
    after = model.state_dict()  # running statistics too
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_without_frozen_modules_running_statistics_move():
    """Otherwise the test above would pass without anything frozen."""
    model = _frozen().train()
    before = model.backbone.bn1.running_mean.clone()
    model.loss(*samples(size=(32, 32)))
    assert not torch.equal(model.backbone.bn1.running_mean, before)


def test_a_mistyped_module_is_an_error():
    with pytest.raises(ValueError, match=r"got \['head.pixels'\]; there are backbone"):
        _frozen("backbone", "head.pixels")


def test_both_names_build_the_same_class():
    assert MODELS.get("TMTVIS") is MODELS.get("VideoSegmentor") is VideoSegmentor
    assert TMTVIS is VideoSegmentor


# ------------------------------------------------------------------ images, refiner


@MODELS.register_module(force=True)
class BrighterMasks(nn.Module):
    """Raises logits where the image is bright, and remembers what it saw."""

    needs_images = True

    def forward(self, logits, pixels):
        self.seen = pixels

        def refined(frames):
            bright = pixels.images[frames].mean(1)  # (F, H, W)
            coarse = logits(frames)
            size = bright.shape[-2:]
            fine = nn.functional.interpolate(coarse, size, mode="bilinear")
            return torch.where(bright > 0, 9.0, fine.clamp(max=-1.0))

        return refined


@pytest.mark.parametrize("per_frame", [False, True])
def test_a_refiner_sees_images_and_has_the_last_word(per_frame):
    model = build(per_frame=per_frame, refiner=dict(type="BrighterMasks")).eval()
    inputs, data = samples(("ytvis19",), frames=3)
    inputs[:] = -1
    inputs[:, :, :, 8:24, 16:64] = 1
    (sample,) = model.predict(inputs, data)
    assert torch.equal(model.head.refiner.seen.images, inputs[0])
    masks = torch.from_numpy(sample.pred_tracks.tubes[0].decode())
    expected = (inputs[0, :, :1] > 0).float()
    expected = nn.functional.interpolate(expected, (50, 75), mode="bilinear") > 0.5
    assert (masks != expected.squeeze(1)).float().mean() < 0.05


def test_images_are_not_kept_for_nothing():
    model = build().eval()
    assert model.extract_feat(samples()[0]).images is None


# ----------------------------------------------------------------- windows of a head


class Counting:
    """A head's predict_window that counts frames in its state."""

    def __init__(self, head):
        self.plain, self.windows = head.predict_window, []

    def __call__(self, pixels, request, state):
        window = request.window
        self.windows.append((window.start, window.stop, pixels.num_frames))
        before = 0 if state is None else int(state.tensors["frames"])
        prediction, _ = self.plain(pixels, request, None)
        frames = torch.tensor(before + window.num_frames)
        return prediction, TrackState(window.stop, dict(frames=frames))


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (WindowPlan(3, 1, "short"), [(0, 3, 3), (2, 5, 3), (4, 6, 2)]),
        (WindowPlan(3, 1, "full"), [(0, 3, 3), (2, 5, 3), (3, 6, 3)]),
        (WindowPlan(1, 0, "short"), [(n, n + 1, 1) for n in range(6)]),
        (WindowPlan(9, 0, "short"), [(0, 6, 6)]),
    ],
)
def test_predict_takes_the_windows_of_the_head(monkeypatch, plan, expected):
    model = build(taxonomy_modules=False).eval()
    counting = Counting(model.head)
    monkeypatch.setattr(model.head, "plan", plan)
    monkeypatch.setattr(model.head, "predict_window", counting)
    inputs, data = samples(("ytvis19",), frames=6)
    (sample,) = model.predict(inputs, data)
    assert counting.windows == expected
    assert {tube.num_frames for tube in sample.pred_tracks.tubes} == {6}
    # The limit of a video, however short the windows are.
    assert len(sample.pred_tracks.scores) == 10


def test_windows_of_a_head_are_not_overruled(monkeypatch):
    head = build(taxonomy_modules=False).head
    assert choose_plan(head, None) == WindowPlan()
    assert choose_plan(head, WindowPlan(5, 2)) == WindowPlan(5, 2)
    monkeypatch.setattr(head, "plan", WindowPlan(1, 0))
    assert choose_plan(head, None) == choose_plan(head, WindowPlan(1, 0)) == head.plan
    with pytest.raises(ValueError, match="TMTVISHead was made for WindowPlan"):
        choose_plan(head, WindowPlan(5, 2))
