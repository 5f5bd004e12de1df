"""From the queries of clips or frames to those of a video."""

from typing import NamedTuple

import torch
from torch import Tensor

from tmt_vis.streaming import TrackState

from .query_decoder import StageOutput
from .trackers import QuerySimilarityTracker, TrackReference


class QueryTracks(NamedTuple):
    """What all queries of one video say, before any is chosen.

    Args:
        class_logits: ``(Q, K + 1)``, not restricted to a label space.
        mask_embeds: ``(Q, C)``, or ``(T, Q, C)`` where each frame has its own.
        last_queries: ``(Q, C)`` of the last frame, from which a tracker goes on; None
            where frames are decoded together.
    """

    class_logits: Tensor
    mask_embeds: Tensor
    last_queries: Tensor | None

    @classmethod
    def of_clip(cls, final: StageOutput) -> "QueryTracks":
        """Take the queries of one clip: each is a track."""
        return cls(final.class_logits[0], final.mask_embeds[0].float(), None)

    @classmethod
    def of_frames(
        cls,
        final: StageOutput,
        tracker: QuerySimilarityTracker,
        reference: TrackReference | None,
    ) -> "QueryTracks":
        """Link the frames of a video, and average the class logits of each track.

        Args:
            final: of the last stage, frame by frame.
            tracker: what links.
            reference: tracks that the frames continue; None starts new ones.
        """
        queries = final.queries.float()
        order = tracker(queries, reference)
        return cls(
            class_logits=_sorted(final.class_logits.float(), order).mean(0),
            mask_embeds=_sorted(final.mask_embeds.float(), order),
            last_queries=_sorted(queries, order)[-1],
        )

    def state(self, stop: int) -> TrackState | None:
        """Return what the window behind frame ``stop`` needs to know."""
        if self.last_queries is None:
            return None
        return TrackState(stop, dict(queries=self.last_queries))


def track_reference(state: TrackState | None, start: int) -> TrackReference | None:
    """Find the last frame of the window before in the window that starts here."""
    if state is None:
        return None
    return TrackReference(state.tensors["queries"], state.stop - 1 - start)


def _sorted(values: Tensor, order: Tensor) -> Tensor:
    """Sort ``(T, Q, C)`` by track."""
    return torch.take_along_dim(values, order.unsqueeze(-1), dim=1)
