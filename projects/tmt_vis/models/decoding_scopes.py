"""What the decoder sees at once: all frames of a clip, or one frame after the other."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from mmdet.registry import TASK_UTILS
from torch import Tensor

from tmt_vis.structures import ClipTargets
from tmt_vis.typedefs import ConfigType

from .clip_features import ClipFeatures
from .query_tracker import TrackReference


class StageOutput(NamedTuple):
    """What one stage predicts for ``B`` decoded clips.

    Args:
        class_logits: ``(B, Q, K + 1)``, not restricted to a label space.
        mask_embeds: ``(B, Q, C)``.
        queries: ``(B, Q, C)``, the states that enter the prediction heads (normed).
    """

    class_logits: Tensor
    mask_embeds: Tensor
    queries: Tensor


class DecodedVideo(NamedTuple):
    """What all queries say about one video.

    Args:
        class_logits: ``(Q, K + 1)``, not restricted to a label space.
        mask_embeds: ``(Q, C)``, or ``(T, Q, C)`` where each frame has its own.
        mask_features: ``(T, C, H, W)`` at stride 4.
        last_queries: ``(Q, C)`` of the last frame, from which a tracker goes on; None
            where queries are no tracks of frames.
    """

    class_logits: Tensor
    mask_embeds: Tensor
    mask_features: Tensor
    last_queries: Tensor | None


@TASK_UTILS.register_module()
class ClipScope:
    """Decode all frames of a clip together, as Mask2Former-VIS does.

    One query is one track, and its position code knows the time.
    """

    temporal = True
    shares_taxonomy = False

    def clip_length(self, num_frames: int) -> int:
        """Return how many of the frames of a sample are decoded together."""
        return num_frames

    def targets(self, target: ClipTargets) -> list[ClipTargets]:
        """Split the targets of a sample into those of its decoded clips."""
        return [target]

    def parts(self, count: int) -> Iterator[slice]:
        """Say which decoded clips are predicted at a time."""
        yield slice(0, count)

    def videos(
        self,
        final: StageOutput,
        features: ClipFeatures,
        references: Sequence[TrackReference | None],
    ) -> list[DecodedVideo]:
        """Put the decoded clips of each video together.

        Args:
            final: of the last stage.
            features: that were decoded.
            references: one per video, tracks that it continues; not used here.
        """
        embeds = final.mask_embeds.float()
        parts = zip(final.class_logits, embeds, features.mask_features, strict=True)
        return [DecodedVideo(*part, last_queries=None) for part in parts]


@TASK_UTILS.register_module()
class FrameScope:
    """Decode every frame by itself and link the frames by their queries, as MinVIS.

    In training a frame is a sample of its own: an object that is absent from it is no
    target there. In a test, class logits are averaged over the frames of a track,
    those of "no object" included.

    Args:
        tracker: config of what links the queries of consecutive frames.
        test_taxonomy: whether TCM compiles per ``frame``, as in training, or once per
            ``video`` from all frames that are predicted together. The compiled
            embeddings enter the queries that are compared, so those of a frame move
            all queries of it; those of a video do not, but were never trained on.
        frames_per_chunk: frames decoded at a time in a test; bounds memory only.
    """

    temporal = False

    def __init__(
        self,
        *,
        tracker: ConfigType | None = None,
        test_taxonomy: str = "frame",
        frames_per_chunk: int = 8,
    ) -> None:
        if test_taxonomy not in ("frame", "video"):
            raise ValueError(
                f"test_taxonomy must be 'frame' or 'video', got {test_taxonomy!r}"
            )
        if frames_per_chunk < 1:
            raise ValueError(f"frames_per_chunk must be >= 1, got {frames_per_chunk}")
        cfg = tracker or dict(type="QuerySimilarityTracker")
        self.tracker = TASK_UTILS.build(cfg)
        self.shares_taxonomy = test_taxonomy == "video"
        self.frames_per_chunk = frames_per_chunk

    def clip_length(self, num_frames: int) -> int:
        """Return how many of the frames of a sample are decoded together."""
        return 1

    def targets(self, target: ClipTargets) -> list[ClipTargets]:
        """Return the targets of each frame: the instances with a pixel in it.

        All frames of a clip are compared at the points of its seed.
        """
        present = target.masks.flatten(2).any(-1)  # (N, T)
        return [
            ClipTargets(
                target.labels[seen], target.masks[seen, frame].unsqueeze(1), target.seed
            )
            for frame, seen in enumerate(present.unbind(1))
        ]

    def parts(self, count: int) -> Iterator[slice]:
        """Say which frames are predicted at a time."""
        for start in range(0, count, self.frames_per_chunk):
            yield slice(start, min(start + self.frames_per_chunk, count))

    def videos(
        self,
        final: StageOutput,
        features: ClipFeatures,
        references: Sequence[TrackReference | None],
    ) -> list[DecodedVideo]:
        """Link the frames of each video.

        Args:
            final: of the last stage, frame by frame.
            features: that were decoded.
            references: one per video, tracks that it continues, or None.
        """
        length = len(features) // len(references)
        frames = zip(
            *(part.float().split(length) for part in final),
            features.mask_features.flatten(0, 1).split(length),
            references,
            strict=True,
        )
        return [self._linked(*video) for video in frames]

    def _linked(
        self,
        class_logits: Tensor,
        mask_embeds: Tensor,
        queries: Tensor,
        mask_features: Tensor,
        reference: TrackReference | None,
    ) -> DecodedVideo:
        order = self.tracker(queries, reference)
        return DecodedVideo(
            class_logits=_sorted(class_logits, order).mean(0),
            mask_embeds=_sorted(mask_embeds, order),
            mask_features=mask_features,
            last_queries=_sorted(queries, order)[-1],
        )


def _sorted(values: Tensor, order: Tensor) -> Tensor:
    """Sort ``(T, Q, C)`` by track."""
    return torch.take_along_dim(values, order.unsqueeze(-1), dim=1)
