"""GenVIS's training losses equal those of the released code, on a golden kit."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import golden_kit, golden_run
from helpers.golden_arrays import check
from mmengine.structures import InstanceData

from tmt_vis.models.heads import genvis_head
from tmt_vis.ops import mask_logits
from tmt_vis.structures import ClipDataSample

pytestmark = pytest.mark.slow
KIT = "genvis_r50_loss"
SIZE, LAYERS, CLIPS, STAGES = (52, 116), 3, 2, 3
# Of each object: label, box of the kit, axes it is mirrored along, frames by which the
# box is ahead, frames that show it. An object of the second video that is in no frame
# is left out, as the dataset does.
OBJECTS = {
    "semi": [
        [
            (7, 0, (), 0, [0, 1, 2, 3, 5, 6, 7, 8]),
            (7, 0, (), 1, [3, 4, 5]),
            (11, 0, (2,), 0, [0, 1, 2]),
            (2, 1, (1,), 0, [0, 1, 2, 7, 8]),
            (2, 1, (1,), -3, [3, 4, 5, 6, 7, 8]),
        ],
        [
            (7, 1, (2,), 0, [2, 3, 4]),
            (23, 0, (), 0, [0, 1, 2, 3, 4, 5]),
            (4, 0, (2, 1), -2, [7, 8]),
        ],
    ],
    "online": [
        [
            (7, 0, (), 0, [0, 1, 3, 4]),
            (7, 0, (), 1, [1]),
            (11, 0, (2,), 0, [0]),
            (2, 1, (1,), 2, [0, 3, 4]),
            (2, 1, (1,), 1, [1, 3, 4]),
        ],
        [
            (7, 1, (2,), 3, [1]),
            (23, 0, (), 0, [0, 1, 3]),
            (4, 0, (2, 1), 2, [4]),
        ],
    ],
}
WINDOWS = dict(semi=(9, 3), online=(5, 1))  # frames, frames of a window


def sample(objects, num_frames):
    boxes = golden_kit.moving_boxes(9, "A", size=SIZE)
    height, width = SIZE
    masks = torch.zeros(len(objects), num_frames, 64, 128, dtype=torch.bool)
    for mask, (_, box, flips, ahead, frames) in zip(masks, objects, strict=True):
        moved = boxes[box].flip(flips) if flips else boxes[box]
        for t in frames:
            mask[t, :height, :width] = moved[t + ahead]
    made = ClipDataSample(metainfo=dict(label_space="ovis"))
    labels = torch.tensor([label for label, *_ in objects])
    made.gt_instances = InstanceData(labels=labels, masks=masks)
    return made


@pytest.fixture(scope="module", params=["semi", "online"])
def run(request):
    """Compute all losses, and remember what goes through the parts."""
    case = request.param
    config = f"genvis/genvis-{case}_r50_4xb2-140k_ovis"
    model = golden_run.load_kit(KIT, config, "ovis").train()
    head, num_frames = model.head, WINDOWS[case][0]
    clips = [
        golden_kit.clip_of(t, size=SIZE) for t in golden_kit.golden(KIT)[f"{case}/t"]
    ]
    samples = [sample(objects, num_frames) for objects in OBJECTS[case]]
    seen = SimpleNamespace(case=case, head=head)
    patch = pytest.MonkeyPatch()

    def spy(owner, name, keep):
        original = getattr(owner, name)

        def call(*args, **kwargs):
            out = original(*args, **kwargs)
            keep(out)
            return out

        patch.setattr(owner, name, call)

    spy(head, "_frozen_frames", lambda out: setattr(seen, "frame_matches", out[1]))
    spy(head, "_decode_clips", lambda out: setattr(seen, "clips", out))
    spy(genvis_head, "match_clips", lambda out: setattr(seen, "matches", out))
    with torch.no_grad():
        seen.losses = model.loss(torch.cat(clips), samples)
    yield seen
    patch.undo()


def padded(matches):
    """Put the matches of both videos side by side, (..., 2, 5), filled up with -1."""
    out = np.full((*matches[0].shape[:-1], CLIPS, 5), -1)
    for number, each in enumerate(matches):
        out[..., number, : each.shape[-1]] = each
    return out


def test_matches_of_frames(run):
    found = padded([match.numpy() for match in run.frame_matches])  # (L, T, B, N)
    found = found.transpose(0, 2, 1, 3).reshape(LAYERS, -1, 5)
    check(KIT, f"{run.case}/frame_query_of_gt", found)


def test_chained_matches(run):
    golden = golden_kit.golden(KIT)
    expected = golden[
        f"{run.case}/query_of_gt"
    ]  # (C, S, L * B, N), also of absent ones
    valid = golden[f"{run.case}/valid"].astype(bool)  # (C, B, N)
    shape = (STAGES, LAYERS, CLIPS, 5)
    for number, clip in enumerate(run.matches):
        found = padded([match.masks for match in clip]).reshape(shape)
        theirs = np.where(valid[number], expected[number].reshape(shape), -1)
        assert np.array_equal(found, theirs)


@pytest.mark.parametrize(
    "name, theirs", [("cls", "ce"), ("mask", "mask"), ("dice", "dice")]
)
def test_losses(run, name, theirs):
    weight = run.head.criterion.loss_weights[name]
    prefixes = ("video.d0.", "video.d1.", "video.")
    found = [
        [run.losses[f"{prefix}loss_{name}_clip{c}"] / weight for prefix in prefixes]
        for c in range(len(run.clips))
    ]
    check(KIT, f"{run.case}/loss_{theirs}", torch.tensor(found))


def test_similarity_and_sums(run):
    count = len(run.clips)
    assert len(run.losses) == 10 * count
    similarity = [run.losses[f"video.loss_sim_clip{c}"] / 0.5 for c in range(count)]
    check(KIT, f"{run.case}/loss_sim", torch.stack(similarity))
    sums = [
        sum(loss for name, loss in run.losses.items() if name.endswith(f"clip{c}"))
        for c in range(count)
    ]
    check(KIT, f"{run.case}/window_weighted", torch.stack(sums))
    check(KIT, f"{run.case}/total_weighted", sum(sums).view(1))


def test_predictions(run):
    def stacked(make):
        return torch.stack([make(clip) for clip in run.clips])

    def check_one(name, make):
        check(KIT, f"{run.case}/{name}", stacked(make))

    def logits(clip):
        out = clip.stages.class_logits.unflatten(0, (STAGES, LAYERS))
        return out[..., ::20, :]

    def masks(clip):
        last = clip.stages.mask_embeds[-LAYERS:]
        out = [mask_logits(x, clip.stages.mask_features) for x in last]
        return torch.stack(out)[:, :, ::20, :, ::4, ::8]

    check_one("class_logits_sample", logits)
    check_one("mask_logits_sample", masks)
    check_one(
        "state_sample", lambda c: c.prediction.state[:, ::20, ::16].transpose(0, 1)
    )
    video, pairs = run.head.video, (LAYERS, CLIPS)
    for name, layer in (
        ("k", video.memory.memory_key),
        ("v", video.memory.memory_value),
    ):
        check_one(
            f"memory_{name}_sample",
            lambda c, layer=layer: layer(c.prediction.queries).unflatten(0, pairs)[
                ..., ::20, ::32
            ],
        )
    check_one(
        "sim_frame_sample",
        lambda c: video.frame_embed(c.tokens).unflatten(0, pairs)[..., ::25, ::32],
    )
    check_one(
        "sim_clip_sample",
        lambda c: video.video_embed(c.prediction.queries).unflatten(0, pairs)[
            ..., ::20, ::16
        ],
    )
