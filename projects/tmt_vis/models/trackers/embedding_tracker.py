"""Tracking by embeddings with a memory of the latest sightings (IDOL)."""

from typing import NamedTuple

import numpy as np
import torch
from mmdet.registry import TASK_UTILS
from torch import Tensor

from tmt_vis.ops import keep_best, mask_overlaps

from .track_memory import TrackMemory

UNTRACKED = -1


class FrameDetections(NamedTuple):
    """What was found in one frame.

    Args:
        scores: ``(n,)`` in [0, 1].
        embeddings: ``(n, C)``, close for the same object in different frames.
        masks: ``(n, h, w)`` bool, at any resolution.
    """

    scores: Tensor
    embeddings: Tensor
    masks: Tensor


@TASK_UTILS.register_module()
class EmbeddingTracker:
    """Decide which track each detection of a frame continues, as IDOL does at test.

    Detections compare their embedding with a weighted mean of the latest sightings of
    every remembered track, by softmax over tracks and over detections. Tracks are born
    from confident detections that match nothing and forgotten when they are not seen
    for a while; identities need no class and no motion. The tracker keeps nothing
    itself: all that changes is the :class:`TrackMemory` of the caller.

    Reference: Wu et al., "In Defense of Online Models for Video Instance
    Segmentation", ECCV 2022, Sec. 3.3, and the released code where both differ.

    Args:
        mask_nms: a detection whose mask has a larger IoU with a better one is dropped;
            0.3 for OVIS.
        match: similarity above which a detection continues a track.
        new_track: score above which an unmatched detection starts a track; 0.3 for
            OVIS.
        first_track: the same while nothing is remembered.
        memory: sightings remembered of each track, ``L``.
        patience: a track is forgotten ``patience`` frames after its last sighting. It
            can still be continued in that frame.
        noise_sightings: a track with fewer sightings is noise as soon as it misses
            ``noise_gap`` frames; 0 keeps every track.
        noise_gap: see ``noise_sightings``.
        noise_from: first frame in which noise is looked for.

    Raises:
        ValueError: if a threshold or a count is out of range.
    """

    def __init__(
        self,
        *,
        mask_nms: float = 0.5,
        match: float = 0.5,
        new_track: float = 0.2,
        first_track: float = 0.2,
        memory: int = 3,
        patience: int = 10,
        noise_sightings: int = 3,
        noise_gap: int = 2,
        noise_from: int = 9,
    ) -> None:
        shares = dict(
            mask_nms=mask_nms,
            match=match,
            new_track=new_track,
            first_track=first_track,
        )
        counts = dict(
            memory=(memory, 1),
            patience=(patience, 1),
            noise_sightings=(noise_sightings, 0),
            noise_gap=(noise_gap, 1),
            noise_from=(noise_from, 0),
        )
        _check_options(shares, counts)
        self.mask_nms, self.match = mask_nms, match
        self.new_track, self.first_track = new_track, first_track
        self.memory, self.patience = memory, patience
        self.noise_sightings, self.noise_gap = noise_sightings, noise_gap
        self.noise_from = noise_from

    def start(self, channels: int) -> TrackMemory:
        """Return the state in front of the first frame.

        Args:
            channels: width of the embeddings.
        """
        return TrackMemory.empty(length=self.memory, channels=channels)

    @torch.no_grad()
    def update(self, detections: FrameDetections, state: TrackMemory) -> np.ndarray:
        """Track one frame.

        Scores, embeddings and overlaps reach the host together; nothing else is read
        from the device.

        Args:
            detections: of the frame, in any order.
            state: of the frames before; changed in place.

        Returns:
            ``(n,)`` int64: the id of each detection, ``UNTRACKED`` for duplicates and
            for what neither continues nor starts a track.
        """
        scores, embeddings, overlaps = _on_host(detections)
        kept = keep_best(scores, overlaps, self.mask_nms)  # best first
        scores, embeddings = scores[kept], embeddings[kept]
        rows = np.full(len(kept), UNTRACKED)
        threshold = self.first_track
        if len(state) and len(kept):
            similarity = _bi_softmax(embeddings @ state.mean_embeddings().T)
            rows = match_tracks(similarity, state.times_seen, self.match)
        if len(state):
            threshold = self.new_track
        born = np.flatnonzero((rows == UNTRACKED) & (scores > threshold))
        rows[born] = len(state) + np.arange(len(born))
        state.add(len(born))
        seen = rows != UNTRACKED
        state.push(rows[seen], scores[seen], embeddings[seen])
        ids = np.full(len(overlaps), UNTRACKED)
        ids[kept[seen]] = state.ids[rows[seen]]
        self._find_noise(state, state.ids[rows[seen]].tolist())
        state.forget(self.patience)
        state.frame += 1
        return ids

    def _find_noise(self, state: TrackMemory, seen: list[int]) -> None:
        """Retract the young tracks that are missing for too long."""
        young = {track: [count, last] for track, count, last in state.young.tolist()}
        newborn = set(state.ids[state.times_seen == 1].tolist())
        for track in seen:
            if track in newborn or track in young:
                count = young.get(track, (0, 0))[0] + 1
                young[track] = [count, state.frame]
        retracted = []
        if state.frame >= self.noise_from:
            for track, (count, last) in young.items():
                missing = state.frame - last
                if 0 < count < self.noise_sightings and missing >= self.noise_gap:
                    retracted.append(track)
                    young[track][0] = 0
        state.retracted = tuple(retracted)
        # A retracted track may be continued: it then starts again from zero.
        remembered = set(state.ids.tolist())
        rest = [
            (track, count, last)
            for track, (count, last) in young.items()
            if count < self.noise_sightings and (count or track in remembered)
        ]
        state.young = np.array(rest, dtype=np.int64).reshape(-1, 3)


def match_tracks(
    similarity: np.ndarray, times_seen: np.ndarray, threshold: float
) -> np.ndarray:
    """Let detections choose tracks, the most confident one first.

    A detection that resembles several tracks prefers those seen more often: after a
    switch of identities the older one wins. Every track is chosen at most once.

    Args:
        similarity: ``(n, M)``, best detection first.
        times_seen: ``(M,)``, frames in which each track was seen.
        threshold: the similarity has to be above it.

    Returns:
        ``(n,)`` int64 track of each detection, ``UNTRACKED`` where there is none.
    """
    similarity = similarity.copy()
    found = np.full(len(similarity), UNTRACKED)
    # Rows only fall, when tracks are taken; what is below now needs no second look.
    for row in np.flatnonzero((similarity > threshold).any(1)).tolist():
        values = similarity[row]
        alike = values > threshold
        if np.count_nonzero(alike) > 1:
            mean = times_seen[alike].mean(dtype=np.float32)
            values = values * np.where(alike, times_seen, mean).astype(np.float32)
        track = int(values.argmax())
        if values[track] > threshold:
            found[row] = track
            similarity[:, track] = 0
    return found


def _on_host(detections: FrameDetections) -> tuple[np.ndarray, ...]:
    """Return scores, embeddings and overlaps of all masks, in one copy."""
    overlaps = mask_overlaps(detections.masks)
    table = torch.cat(
        [
            detections.scores.float()[:, None],
            detections.embeddings.float(),
            overlaps.to(detections.scores.device),
        ],
        dim=1,
    )
    values = table.cpu().numpy()
    channels = detections.embeddings.shape[1]
    return values[:, 0], values[:, 1 : channels + 1], values[:, channels + 1 :]


def _bi_softmax(logits: np.ndarray) -> np.ndarray:
    """Average the softmax over tracks and the softmax over detections."""
    return (_softmax(logits, 1) + _softmax(logits, 0)) / 2


def _softmax(logits: np.ndarray, axis: int) -> np.ndarray:
    exps = np.exp(logits - logits.max(axis, keepdims=True))
    return exps / exps.sum(axis, keepdims=True)


def _check_options(
    shares: dict[str, float], counts: dict[str, tuple[int, int]]
) -> None:
    for name, value in shares.items():
        if not 0 <= value <= 1:
            raise ValueError(
                f"{name} must be in [0, 1], got {value}; it is compared with scores, "
                "similarities or overlaps"
            )
    for name, (value, lowest) in counts.items():
        if value < lowest:
            raise ValueError(f"{name} must be >= {lowest}, got {value}")
