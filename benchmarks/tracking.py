"""IDOL's tracking written out track by track and pair by pair, for comparing."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from tmt_vis.models.trackers import UNTRACKED, FrameDetections


@dataclass
class _Track:
    scores: list[Tensor] = field(default_factory=list)
    embeddings: list[Tensor] = field(default_factory=list)
    last: int = 0
    times: int = 0
    # What is reported: sightings since the track began or was called noise.
    reported: list[int] = field(default_factory=list)


class WrittenTracker:
    """The rules of :class:`tmt_vis.models.trackers.EmbeddingTracker`, with loops."""

    def __init__(
        self, *, mask_nms: float = 0.5, new_track: float = 0.2, match: float = 0.5
    ) -> None:
        self.mask_nms, self.new_track, self.match = mask_nms, new_track, match
        self.first_track = 0.2
        self.frame, self.next_id = 0, 0
        self.memory: dict[int, _Track] = {}
        self.outputs: dict[int, _Track] = {}

    def update(self, detections: FrameDetections) -> list[int]:
        """Return the id of each detection."""
        kept = self.without_duplicates(detections)
        found = dict.fromkeys(kept, UNTRACKED)
        threshold = self.new_track if self.memory else self.first_track
        if self.memory and kept:
            self._match(detections.embeddings[kept], kept, found)
        for index in kept:
            if found[index] == UNTRACKED and detections.scores[index] > threshold:
                found[index] = self.next_id
                self.next_id += 1
        self._remember(detections, found)
        self._find_noise()
        for track in list(self.memory):
            if self.frame - self.memory[track].last >= 10:
                del self.memory[track]
        self.frame += 1
        return [found.get(i, UNTRACKED) for i in range(len(detections.scores))]

    def without_duplicates(self, detections: FrameDetections) -> list[int]:
        """Return the detections whose mask is not that of a better one."""
        masks, kept = detections.masks, []
        for index in detections.scores.sort(descending=True, stable=True)[1].tolist():
            for better in kept:
                shared = (masks[index] & masks[better]).sum().float()
                union = (masks[index] | masks[better]).sum().float()
                if (shared + 1e-6) / (union + 1e-6) > self.mask_nms:
                    break
            else:
                kept.append(index)
        return kept

    def _match(
        self, embeddings: Tensor, kept: list[int], found: dict[int, int]
    ) -> None:
        ids, means = list(self.memory), []
        for track in self.memory.values():
            count, total, weights = len(track.scores), 0.0, 0.0
            for t in range(count):
                weight = track.scores[t] + (t + 1) / count
                total = total + weight * track.embeddings[t]
                weights = weights + weight
            means.append(total / weights)
        logits = embeddings @ torch.stack(means).T
        similarity = (logits.softmax(1) + logits.softmax(0)) / 2
        for row, index in enumerate(kept):
            values = similarity[row].clone()
            alike = values > self.match
            if alike.sum() > 1:
                times = torch.tensor([float(self.memory[i].times) for i in ids])
                values[alike] *= times[alike]
                values[~alike] *= times[alike].mean()
            best = int(values.argmax())
            if values[best] > self.match:
                found[index] = ids[best]
                similarity[:row, best] = 0
                similarity[row + 1 :, best] = 0

    def _remember(self, detections: FrameDetections, found: dict[int, int]) -> None:
        for index, track_id in found.items():
            if track_id == UNTRACKED:
                continue
            track = self.memory.setdefault(track_id, _Track())
            self.outputs.setdefault(track_id, track)
            track.scores = [*track.scores, detections.scores[index]][-3:]
            track.embeddings = [*track.embeddings, detections.embeddings[index]][-3:]
            track.last, track.times = self.frame, track.times + 1
            track.reported.append(self.frame)

    def _find_noise(self) -> None:
        if self.frame <= 8:
            return
        for track in self.outputs.values():
            missing = not {self.frame, self.frame - 1} & set(track.reported)
            if missing and len(track.reported) < 3:
                track.reported.clear()
