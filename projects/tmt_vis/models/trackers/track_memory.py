"""What a tracker remembers between two frames."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np


@dataclass
class TrackMemory:
    """The state of :class:`EmbeddingTracker`, owned by the caller.

    It holds arrays and numbers only, so that a copy, a file and a resumed run have the
    same bits. Its size depends on the tracks of the latest frames, not on the length of
    the video.

    Args:
        frame: number of the frame that comes next.
        next_id: id of the next new track.
        ids: ``(M,)`` int64, the tracks that may still be continued, oldest first.
        embeddings: ``(M, L, C)`` float32 of their latest sightings, newest last; rows
            in front of the first sighting are zero.
        scores: ``(M, L)`` float32 of the same sightings.
        lengths: ``(M,)`` int64, how many of the L rows are filled.
        last_seen: ``(M,)`` int64 frame numbers.
        times_seen: ``(M,)`` int64.
        young: ``(Y, 3)`` int64: id, sightings and last frame of every track that is
            not confirmed yet and would be noise if it ended here.
        retracted: ids of the tracks that the frame seen last has turned into noise:
            whatever was reported of them before is void. They may be seen again.
    """

    frame: int
    next_id: int
    ids: np.ndarray
    embeddings: np.ndarray
    scores: np.ndarray
    lengths: np.ndarray
    last_seen: np.ndarray
    times_seen: np.ndarray
    young: np.ndarray
    retracted: tuple[int, ...] = ()

    @classmethod
    def empty(cls, *, length: int, channels: int) -> "TrackMemory":
        """Return the state in front of the first frame.

        Args:
            length: sightings remembered of each track, ``L``.
            channels: width of the embeddings, ``C``.
        """
        return cls(
            frame=0,
            next_id=0,
            embeddings=np.zeros((0, length, channels), np.float32),
            scores=np.zeros((0, length), np.float32),
            young=np.zeros((0, 3), np.int64),
            **{name: np.zeros(0, np.int64) for name in _COUNTS},
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        arrays = (getattr(self, field.name) for field in fields(self))
        return sum(a.nbytes for a in arrays if isinstance(a, np.ndarray))

    def copy(self) -> "TrackMemory":
        """Return a state that shares no memory with this one."""
        arrays = {name: getattr(self, name).copy() for name in _ARRAYS}
        return replace(self, **arrays)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the state as named arrays, for a file."""
        return {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)} | dict(
            retracted=np.array(self.retracted, dtype=np.int64)
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "TrackMemory":
        """Rebuild the state that :meth:`to_arrays` returned."""
        return cls(
            frame=int(arrays["frame"]),
            next_id=int(arrays["next_id"]),
            retracted=tuple(arrays["retracted"].tolist()),
            **{name: np.array(arrays[name]) for name in _ARRAYS},
        )

    def mean_embeddings(self) -> np.ndarray:
        """Average the sightings of each track; recent and confident ones count more.

        The weight of sighting t of n is ``score + t / n``.

        Returns:
            ``(M, C)`` float32.
        """
        length = self.scores.shape[1]
        rank = np.arange(1 - length, 1) + self.lengths[:, None]  # (M, L), t of n
        filled = rank > 0
        time = rank.astype(np.float32) / self.lengths[:, None].astype(np.float32)
        weights = np.where(filled, self.scores + time, np.float32(0))
        weights /= weights.sum(1, keepdims=True)
        return np.matmul(weights[:, None], self.embeddings)[:, 0]

    def add(self, count: int) -> np.ndarray:
        """Append ``count`` new tracks without sightings; return their ids."""
        new = np.arange(self.next_id, self.next_id + count)
        self.next_id += count
        self.ids = np.concatenate([self.ids, new])
        for name in _ARRAYS[1:-1]:
            old = getattr(self, name)
            fresh = np.zeros((count, *old.shape[1:]), old.dtype)
            setattr(self, name, np.concatenate([old, fresh]))
        return new

    def push(
        self, rows: np.ndarray, scores: np.ndarray, embeddings: np.ndarray
    ) -> None:
        """Remember one sighting each of some tracks in the frame at hand.

        Args:
            rows: ``(m,)`` positions in :attr:`ids`, without repetition.
            scores: ``(m,)``.
            embeddings: ``(m, C)``.
        """
        for table, values in ((self.scores, scores), (self.embeddings, embeddings)):
            table[rows, :-1] = table[rows, 1:]
            table[rows, -1] = values
        self.lengths[rows] = np.minimum(self.lengths[rows] + 1, self.scores.shape[1])
        self.times_seen[rows] += 1
        self.last_seen[rows] = self.frame

    def forget(self, patience: int) -> None:
        """Drop the tracks that were seen last ``patience`` frames ago or earlier."""
        alive = self.frame - self.last_seen < patience
        if not alive.all():
            for name in _ARRAYS[:-1]:
                setattr(self, name, getattr(self, name)[alive])


_COUNTS = ("ids", "lengths", "last_seen", "times_seen")
_ARRAYS = (
    "ids",
    "embeddings",
    "scores",
    "lengths",
    "last_seen",
    "times_seen",
    "young",
)
