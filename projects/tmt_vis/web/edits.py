"""Corrections of a visitor: names that were changed, tracks that were dropped."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tmt_vis.inference import Track, VideoResult
from tmt_vis.taxonomy import LabelSpace

from .errors import WebError


@dataclass(frozen=True)
class Edits:
    """What is different from the prediction, which itself is kept.

    Args:
        names: Track id -> new name of its category.
        dropped: Ids of tracks that are left out.
    """

    names: Mapping[int, str] = field(default_factory=dict)
    dropped: frozenset[int] = frozenset()

    def renamed(self, track_id: int, name: str, *, max_length: int) -> "Edits":
        """Give the category of a track another name.

        Raises:
            WebError: If the name is empty or too long.
        """
        name = " ".join(name.split())
        if not 0 < len(name) <= max_length:
            raise WebError(
                f"a name needs 1 to {max_length} characters, got {len(name)}"
            )
        return replace(self, names={**self.names, track_id: name})

    def without(self, track_id: int) -> "Edits":
        """Drop a track."""
        return replace(self, dropped=self.dropped | {track_id})

    def apply(self, result: VideoResult, space: LabelSpace) -> VideoResult:
        """Return the corrected result.

        A name of the label space takes its ``source_id``; another one takes a number
        that the label space does not use, the same in all tracks of that name.
        """
        ids = {c.name: c.source_id for c in space.categories}
        free = max(ids.values(), default=0) + 1
        for name in self.names.values():
            if name not in ids:
                ids[name], free = free, free + 1
        kept = [track for track in result.tracks if track.id not in self.dropped]
        return replace(result, tracks=tuple(self._edited(t, ids) for t in kept))

    def _edited(self, track: Track, ids: Mapping[str, int]) -> Track:
        name = self.names.get(track.id)
        if name is None or name == track.name:
            return track
        return replace(track, name=name, source_id=ids[name])
