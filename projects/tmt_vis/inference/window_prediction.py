"""What one window says, before anybody knows which object is which."""

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np

from tmt_vis.structures import TubeRLE

from .windows import Window


@dataclass(frozen=True, eq=False)
class WindowPrediction:
    """The k objects seen in one window.

    Args:
        window: The frames.
        embeddings: (k, C) float32 mask embeddings.
        slot_probs: (k, slots) float32 class probabilities.
        tubes: k tubes of the window's frames at the original size.
        compiled: ``union_id`` and score of the compiled taxonomy, best first; empty
            without TCM.
        tracks: Number of each object in the model's own tracking, the same in all
            windows; None for a model that tracks inside of a window only.
        last_queries: (Q, C) float32, what all tracks of such a model look like in the
            last frame, from which the next window continues them.
    """

    window: Window
    embeddings: np.ndarray
    slot_probs: np.ndarray
    tubes: tuple[TubeRLE, ...]
    compiled: tuple[tuple[int, float], ...] = ()
    tracks: tuple[int, ...] | None = None
    last_queries: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.tubes)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data; :meth:`from_dict` reads back every bit."""
        return {
            "start": self.window.start,
            "stop": self.window.stop,
            "embeddings": _array_to_text(self.embeddings),
            "slot_probs": _array_to_text(self.slot_probs),
            "sizes": [[t.height, t.width, t.num_frames] for t in self.tubes],
            "tubes": [tube.counts.decode("ascii") for tube in self.tubes],
            "compiled": [list(pair) for pair in self.compiled],
            "tracks": self.tracks,
            "last_queries": _array_to_text(self.last_queries),
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> "WindowPrediction":
        """Rebuild a prediction from :meth:`to_dict`."""
        tubes = zip(state["tubes"], state["sizes"], strict=True)
        return cls(
            window=Window(state["start"], state["stop"]),
            embeddings=_array_from_text(state["embeddings"]),
            slot_probs=_array_from_text(state["slot_probs"]),
            tubes=tuple(TubeRLE(text.encode("ascii"), *size) for text, size in tubes),
            compiled=tuple((union_id, score) for union_id, score in state["compiled"]),
            tracks=None if state["tracks"] is None else tuple(state["tracks"]),
            last_queries=_array_from_text(state["last_queries"]),
        )


def _array_to_text(array: np.ndarray | None) -> dict[str, Any] | None:
    if array is None:
        return None
    data = np.ascontiguousarray(array, dtype="<f4").tobytes()
    return {"shape": list(array.shape), "data": base64.b64encode(data).decode("ascii")}


def _array_from_text(state: dict[str, Any] | None) -> np.ndarray | None:
    if state is None:
        return None
    data = base64.b64decode(state["data"])
    return np.frombuffer(data, dtype="<f4").astype(np.float32).reshape(state["shape"])
