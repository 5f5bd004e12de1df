"""What a pair of frames supervises: a key frame and a reference frame."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tmt_vis.assigners import FrameBoxes, QueryMatches
from tmt_vis.losses import DetectionTargets, PairMatches
from tmt_vis.ops import mask_boxes, to_centers
from tmt_vis.structures import ClipDataSample, ClipTargets, presence
from tmt_vis.typedefs import Size

# Queries whose overlaps decide how many of them belong to an object, and how many are
# too near to be negatives.
_POSITIVE, _NEAR = 10, 100


@dataclass(frozen=True)
class PairTargets:
    """The objects of a pair of frames.

    Args:
        key: objects of the key frame.
        reference: those of them that the reference frame shows as well.
        shared: ``(n,)`` int64 position of these in ``key``, on the host.
        shown: all objects of each frame.
        image_size: ``(h, w)`` of the frames without padding.
    """

    key: DetectionTargets
    reference: DetectionTargets
    shared: NDArray[np.int64]
    shown: tuple[ClipTargets, ClipTargets]
    image_size: Size

    @property
    def seed(self) -> int | None:
        """Seed of the clip."""
        return self.shown[0].seed

    @classmethod
    def of(
        cls, targets: Sequence[ClipTargets], samples: Sequence[ClipDataSample]
    ) -> "list[PairTargets]":
        """Split the targets of pairs; which frame shows what is read in one copy.

        Args:
            targets: of clips of two frames.
            samples: of the same clips, for the sizes.
        """
        return [
            cls._of_one(target, sample.img_shape, seen)
            for target, sample, seen in zip(
                targets, samples, presence(targets), strict=True
            )
        ]

    @classmethod
    def _of_one(
        cls, target: ClipTargets, size: Size, seen: NDArray[np.bool_]
    ) -> "PairTargets":
        in_key, in_reference = seen.T
        (shared,) = np.nonzero(in_reference[in_key])
        return cls(
            key=_detection_targets(_shown(target, in_key, 0), size),
            reference=_detection_targets(
                _shown(target, in_key & in_reference, 1), size
            ),
            shared=shared,
            shown=(_shown(target, in_key, 0), _shown(target, in_reference, 1)),
            image_size=size,
        )

    def to_match(
        self, key: tuple[Tensor, Tensor], reference: tuple[Tensor, Tensor]
    ) -> tuple[FrameBoxes, FrameBoxes]:
        """Return what is matched in both frames.

        Args:
            key: class logits ``(S, Q, K)`` and boxes ``(S, Q, 4)``.
            reference: the same of the last stage.
        """
        return (
            FrameBoxes(*key, self.key.labels, self.key.boxes, (_POSITIVE,)),
            FrameBoxes(
                *reference,
                self.reference.labels,
                self.reference.boxes,
                (_POSITIVE, _NEAR),
            ),
        )

    def compare(
        self, key: QueryMatches, positive: QueryMatches, near: QueryMatches
    ) -> PairMatches:
        """Return the queries of the shared objects, by the matchings of both frames.

        Args:
            key: of the key frame; the last stage counts.
            positive: of the reference frame, with the usual candidates.
            near: with many.
        """
        queries = key.best[-1][self.shared]
        (found,) = np.nonzero(queries >= 0)
        masks = (match.objects[-1] == found[:, None] for match in (positive, near))
        return PairMatches(queries[found], *masks)


def _shown(target: ClipTargets, shown: NDArray[np.bool_], frame: int) -> ClipTargets:
    objects = torch.from_numpy(np.flatnonzero(shown))
    objects = objects.to(target.masks.device, non_blocking=True)
    return target.part(objects, slice(frame, frame + 1))


def _detection_targets(target: ClipTargets, size: Size) -> DetectionTargets:
    masks = target.masks[:, 0]
    scale = torch.tensor([size[1], size[0]] * 2, device=masks.device)
    boxes = to_centers(mask_boxes(masks) / scale)
    crowds = target.crowds
    if crowds is not None:
        crowds = crowds[0, : size[0], : size[1]]
    return DetectionTargets(target.labels, boxes, masks, crowds, target.incomplete)
