"""Match the queries of clips and compute all their losses (VMT; our reading)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from tmt_vis.assigners import ClipBoxAssigner, ClipBoxes
from tmt_vis.losses import (
    MatchedPairs,
    TubeCriterion,
    TubeMasks,
    TubeTargets,
    restrict_logits,
)
from tmt_vis.ops import mask_boxes, to_centers
from tmt_vis.structures import ClipDataSample, ClipTargets
from tmt_vis.typedefs import Losses, Size

from .clip_box_decoder import ClipBoxDecoder, ClipBoxQueries
from .incoherent_pixels import incoherent_band
from .mask_cascade import FrameMaps, FrameObjects, MaskCascade


class ClipBoxLosses:
    """All losses of a batch of clips.

    Args:
        assigner: matches queries and objects.
        criterion: weighs and names the losses.
        first_column: of the classifier that belongs to a category.
    """

    def __init__(
        self, *, assigner: ClipBoxAssigner, criterion: TubeCriterion, first_column: int
    ) -> None:
        self.assigner = assigner
        self.criterion = criterion
        self.first_column = first_column

    def __call__(
        self,
        decoder: ClipBoxDecoder,
        cascade: MaskCascade,
        queries: ClipBoxQueries,
        maps: Sequence[FrameMaps],
        clips: Sequence[ClipTargets],
        samples: Sequence[ClipDataSample],
        *,
        keep: Tensor,
    ) -> Losses:
        """Compute the losses of ``B`` clips of ``T`` frames.

        Args:
            decoder: whose branches predict.
            cascade: makes the masks.
            queries: of the clips.
            maps: of all frames.
            clips: ground truth.
            samples: of the same clips, for the sizes.
            keep: ``(B, K)`` bool, columns that are judged.
        """
        count = len(clips)
        logits = restrict_logits(decoder.classes(queries.states), keep, no_object=False)
        boxes = decoder.boxes(queries).unflatten(1, (count, -1))  # (S, B, T, Q, 4)
        targets = [
            self._targets(clip, sample.img_shape)
            for clip, sample in zip(clips, samples, strict=True)
        ]
        problems = [
            ClipBoxes(
                logits[:, i].detach(), boxes[:, i].detach(), t.labels, t.boxes, t.shown
            )
            for i, t in enumerate(targets)
        ]
        pairs = MatchedPairs.of(
            self.assigner.assign(problems),
            [len(target.labels) for target in targets],
            logits.device,
        )
        masks = _matched_masks(cascade, queries, boxes, maps, pairs, targets, samples)
        return self.criterion(logits, boxes, masks, targets, pairs)

    def _targets(self, clip: ClipTargets, size: Size) -> TubeTargets:
        masks = clip.masks
        scale = torch.tensor([size[1], size[0]] * 2, device=masks.device)
        boxes = mask_boxes(masks.flatten(0, 1)).unflatten(0, masks.shape[:2])
        crowds = clip.crowds
        if crowds is not None:
            crowds = crowds[:, : size[0], : size[1]]
        incomplete, spare = clip.incomplete, self.first_column
        if incomplete is not None:
            incomplete = F.pad(incomplete, (spare, spare), value=False)
        return TubeTargets(
            clip.labels + spare,
            to_centers(boxes / scale),
            masks.flatten(2).any(-1),
            masks,
            crowds,
            incomplete,
        )


def _matched_masks(
    cascade: MaskCascade,
    queries: ClipBoxQueries,
    boxes: Tensor,
    maps: Sequence[FrameMaps],
    pairs: MatchedPairs,
    targets: Sequence[TubeTargets],
    samples: Sequence[ClipDataSample],
) -> TubeMasks:
    """Compute coarse masks of all pairs, and all steps of those of the last stage."""
    frames, last = boxes.shape[2], len(boxes) - 1
    points = torch.stack([reference[..., :2] for reference in queries.references])
    points = points.unflatten(1, (-1, frames))  # (S, B, T, Q, 2)
    states = queries.states[pairs.stage, pairs.frame, pairs.query]
    points = points[pairs.stage, pairs.frame, :, pairs.query]  # (n, T, 2)
    boxes = boxes.detach()[pairs.stage, pairs.frame, :, pairs.query]
    steps: list[tuple[Tensor, ...]] = []
    clips = zip(*map(pairs.split, (states, points, boxes, pairs.stage)), strict=True)
    for clip, (state, point, box, stage) in enumerate(clips):
        size = samples[clip].img_shape
        padded = samples[clip].batch_input_shape
        scale = point.new_tensor([size[1], size[0]])
        share = scale / scale.new_tensor([padded[1], padded[0]])
        final = stage == last
        control = cascade.control(state)
        kept = type(control)(*(part[final] for part in control))
        found = []
        for number in range(frames):
            frame = maps[clip * frames + number]
            centers = point[:, number] * scale
            objects = FrameObjects(
                centers[final], box[final, number] * share.repeat(2), number
            )
            all_steps = cascade(kept, objects, frame)
            coarse = cascade.coarse_doubled(control.coarse, centers, frame.merged)
            found.append((coarse, all_steps.fine, all_steps.refined))
        steps.append(tuple(torch.stack(x, 1) for x in zip(*found, strict=True)))
    coarse, fine, refined = (torch.cat(x) for x in zip(*steps, strict=True))
    true = torch.cat([target.masks for target in targets])
    outline = incoherent_band(true[pairs.object[pairs.stage == last]])
    return TubeMasks(coarse, fine, refined, outline)
