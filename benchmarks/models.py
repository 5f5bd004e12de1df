"""mmdet's Mask2FormerVideo and ours with equal weights, at the sizes of benchmarks."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import torch
from helpers import mmdet_pair
from helpers.fixed_points import FixedPoints
from mmdet.models.tracking_heads import mask2former_track_head
from mmdet.structures import DetDataSample, TrackDataSample
from mmdet.structures.mask import BitmapMasks, encode_mask_results
from mmengine.structures import InstanceData
from torch import Tensor, nn

from tmt_vis.ops import PointSampler
from tmt_vis.structures import ClipDataSample

from .common import Options

_POINTS = 12544
_CATEGORIES = 40


@dataclass(frozen=True)
class Video:
    """A clip and its sizes.

    Args:
        frames: T.
        padded: size of the network's input.
        image: size without padding.
        original: size of the masks that are wanted.
        clips: B.
    """

    frames: int
    padded: tuple[int, int]
    image: tuple[int, int]
    original: tuple[int, int]
    clips: int = 1

    def __str__(self) -> str:
        clips = f"{self.clips} clips of " if self.clips > 1 else ""
        height, width = self.padded
        frames = "1 frame" if self.frames == 1 else f"{self.frames} frames"
        return f"{clips}{frames} of {height}x{width}"

    @property
    def meta(self) -> dict[str, Any]:
        return dict(
            img_shape=self.image,
            ori_shape=self.original,
            batch_input_shape=self.padded,
        )

    def pixels(self) -> Tensor:
        """Make normalised clips, ``(B, T, 3, H, W)``: blobs that drift, and noise."""
        generator = torch.Generator().manual_seed(self.frames)
        size = (self.clips * self.frames, 3)
        coarse = torch.randn(*size, 6, 10, generator=generator)
        smooth = nn.functional.interpolate(coarse, size=self.padded, mode="bicubic")
        noise = torch.randn(*size, *self.padded, generator=generator)
        return (smooth + 0.2 * noise).unflatten(0, (self.clips, self.frames))


def video(options: Options, frames: int | None = None, *, clips: int = 1) -> Video:
    """Return the video of the scale: 384x640 to 720p, or tiny."""
    if options.tiny:
        return Video(frames or 2, (64, 96), (60, 90), (90, 135), clips)
    return Video(frames or 2, (384, 640), (360, 640), (720, 1280), clips)


@dataclass(frozen=True)
class Pair:
    """Two models with equal weights, in evaluation mode."""

    theirs: nn.Module
    ours: nn.Module

    def train(self) -> "Pair":
        """Switch both to training."""
        self.theirs.train()
        self.ours.train()
        return self

    def to(self, device: str) -> "Pair":
        """Move both."""
        return Pair(self.theirs.to(device), self.ours.to(device))


def pair(options: Options, frames: int = 2) -> Pair:
    """Build R50 Mask2Former-VIS twice (a narrow one with ``quick``).

    Args:
        options: scale.
        frames: mmdet's head has the length of training clips in its config.
    """
    kind = mmdet_pair.VIDEO
    theirs, ours = mmdet_pair.build_pair(kind, "resnet", small=options.tiny)
    points = 64 if options.tiny else _POINTS
    theirs.track_head.num_points = points
    theirs.track_head.num_frames = frames
    ours.head.supervision.criterion.points = PointSampler(num_points=points)
    return Pair(theirs, ours)


def their_prediction(model: nn.Module, pixels: Tensor, clip: Video) -> TrackDataSample:
    """Predict with mmdet."""
    frames = [DetDataSample(metainfo=clip.meta) for _ in range(clip.frames)]
    with torch.no_grad():
        (result,) = model.predict(pixels, [TrackDataSample(video_data_samples=frames)])
    return result


def their_result(model: nn.Module, pixels: Tensor, clip: Video) -> list[dict]:
    """Predict with mmdet and encode the masks, as its metric does next.

    Returns:
        A dict per track: score, label and a list of RLEs, best first.
    """
    result = their_prediction(model, pixels, clip)
    instances = [frame.pred_track_instances for frame in result.video_data_samples]
    rles = [encode_mask_results(frame.masks.cpu().numpy()) for frame in instances]
    scores, labels = instances[0].scores.tolist(), instances[0].labels.tolist()
    tracks = [
        dict(score=score, label=label, rles=[frame[row] for frame in rles])
        for row, (score, label) in enumerate(zip(scores, labels, strict=True))
    ]
    return sorted(tracks, key=lambda track: -track["score"])


def our_result(model: nn.Module, pixels: Tensor, clip: Video) -> InstanceData:
    """Predict with ours: scores, labels and encoded tubes, best first."""
    sample = ClipDataSample(metainfo=dict(clip.meta, label_space="ytvis19"))
    with torch.no_grad():  # as in test loops
        return model.predict(pixels, [sample])[0].pred_tracks


def check_tracks(
    theirs: list[dict], ours: InstanceData, *, pixels: float, scores: float = 1e-5
) -> str:
    """Compare scores, labels and masks.

    Args:
        theirs: of :func:`their_result`.
        ours: of :func:`our_result`.
        pixels: share of them that may differ (logits that are 0 but for rounding).
        scores: largest difference of a score.
    """
    from pycocotools import mask as coco_mask

    expected = np.array([track["score"] for track in theirs])
    error = np.abs(expected - ours.scores.numpy()).max()
    assert error < scores, f"scores differ by {error:.1e}"
    assert [track["label"] for track in theirs] == ours.labels.tolist(), "labels differ"
    different = total = 0
    for track, tube in zip(theirs, ours.tubes, strict=True):
        masks = tube.decode()
        for rle, mask in zip(track["rles"], masks, strict=True):
            different += int((coco_mask.decode(rle).astype(bool) != mask).sum())
        total += masks.size
    share = different / total
    assert share < pixels, f"{share:.1e} of the pixels differ"
    return f"scores within {error:.0e}, {share:.1e} of the pixels differ"


# ------------------------------------------------------------------------- training


def truth(clip: Video, objects: int) -> InstanceData:
    """Make labels (N,) and moving boxes (N, T, H, W)."""
    height, width = clip.padded
    masks = torch.zeros(objects, clip.frames, height, width, dtype=torch.bool)
    for n in range(objects):
        for t in range(clip.frames):
            top, left = n * height // (2 * objects) + t, n * width // (2 * objects) + t
            masks[n, t, top : top + height // 3, left : left + width // 4] = True
    return InstanceData(labels=torch.arange(objects) * 7 + 1, masks=masks)


def their_samples(clip: Video, objects: int) -> list[TrackDataSample]:
    """Make mmdet's ground truth; a step changes it, so make it for every step."""
    samples = []
    for _ in range(clip.clips):
        instances, frames = truth(clip, objects), []
        for t in range(clip.frames):
            frame = DetDataSample(metainfo=clip.meta)
            masks = instances.masks[:, t].numpy().astype(np.uint8)
            frame.gt_instances = InstanceData(
                labels=instances.labels,
                masks=BitmapMasks(masks, *clip.padded),
                instances_ids=torch.arange(objects),
            )
            frames.append(frame)
        meta = dict(key_frames_inds=[0], ref_frames_inds=[1])
        samples.append(TrackDataSample(video_data_samples=frames, metainfo=meta))
    return samples


def our_samples(clip: Video, objects: int) -> list[ClipDataSample]:
    """Make our ground truth of the same objects."""
    samples = []
    for index in range(clip.clips):
        meta = dict(clip.meta, label_space="ytvis19", clip_seed=index)
        sample = ClipDataSample(metainfo=meta)
        sample.gt_instances = truth(clip, objects)
        samples.append(sample)
    return samples


@contextmanager
def same_points(both: Pair) -> Iterator[Tensor]:
    """Give both models the same points, drawn once, for every mask and stage."""
    count = both.theirs.track_head.num_points
    rand = torch.rand
    points = rand(1, count, 2, generator=torch.Generator().manual_seed(0))

    def fixed(*args: Any, **kwargs: Any) -> Tensor:
        asked = args[0] if args and isinstance(args[0], tuple) else None
        if asked == tuple(points.shape):
            return points.to(kwargs.get("device") or "cpu")
        return rand(*args, **kwargs)

    def uncertain(masks: Tensor, *args: Any) -> Tensor:
        return points.to(masks.device).expand(len(masks), -1, -1)

    head, sampler = both.ours.head, FixedPoints(points)
    name = "get_uncertain_point_coords_with_randomness"
    with (
        mock.patch.object(torch, "rand", fixed),
        mock.patch.object(mask2former_track_head, name, uncertain),
        mock.patch.object(head.supervision.criterion, "points", sampler),
        # mmdet's cross-entropy is larger by the number of frames.
        mock.patch.object(head.supervision.criterion, "mmdet_bce_scale", True),
    ):
        yield points


def check_losses(theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> str:
    """Compare all losses of a step."""
    assert set(theirs) == set(ours), f"losses differ: {set(theirs) ^ set(ours)}"
    worst = 0.0
    for name, value in theirs.items():
        error = abs(ours[name].item() - value.item()) / max(abs(value.item()), 1e-6)
        assert error < 1e-3, f"{name}: {ours[name].item()} instead of {value.item()}"
        worst = max(worst, error)
    return f"{len(theirs)} losses within {worst:.0e} at the same points"
