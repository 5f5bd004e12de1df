"""What a head is asked about a window, and what it says."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from mmengine.structures import InstanceData
from torch import Tensor, nn

from tmt_vis.structures import ClipDataSample, TubeRLE

from .windows import Window


@dataclass(frozen=True, eq=False, kw_only=True)
class WindowRequest:
    """What is asked about one window of a video.

    Args:
        window: The frames.
        sample: Of the video; its metainfo holds the sizes.
        label_space: Whose categories are predicted.
        max_objects: Objects, or (object, category) pairs, kept at most.
        several_categories: Count pairs, as benchmarks do.
        vocabulary: Holds the label space; None means the head's own vocabulary.
    """

    window: Window
    sample: ClipDataSample
    label_space: str
    max_objects: int
    several_categories: bool = False
    vocabulary: nn.Module | None = None


@dataclass(frozen=True, eq=False)
class WindowPrediction:
    """The k objects seen in one window.

    Args:
        window: The frames.
        embeddings: (k, C) float32, how the objects look; similar for one object.
        slot_probs: (k, slots) float32 class probabilities.
        tubes: k tubes of the window's frames at the original size.
        compiled: ``union_id`` and score of the compiled taxonomy, best first; empty
            without TCM.
        tracks: Number of each object in the model's own tracking, the same in all
            windows; None for a model that tracks inside of a window only.
        queries: Number of the query of each object; None for a model without queries.
        retracted: Tracks of which all that earlier windows said is void, because they
            have turned out to be noise; they may be seen again.
        quality: (k, 2) float64, per object the sum of its foreground probabilities and
            the number of its pixels at the size of the network input; None for a model
            whose scores do not depend on them.
        taxonomy: Report of the compiled taxonomy, see ``CompiledTaxonomy.report``; not
            stored.
    """

    window: Window
    embeddings: np.ndarray
    slot_probs: np.ndarray
    tubes: tuple[TubeRLE, ...]
    compiled: tuple[tuple[int, float], ...] = ()
    tracks: tuple[int, ...] | None = None
    queries: tuple[int, ...] | None = None
    retracted: tuple[int, ...] = ()
    quality: np.ndarray | None = None
    taxonomy: InstanceData | None = field(default=None, repr=False)

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
            "queries": self.queries,
            "retracted": list(self.retracted),
            "quality": None if self.quality is None else self.quality.tolist(),
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> "WindowPrediction":
        """Rebuild a prediction from :meth:`to_dict`."""
        tubes = zip(state["tubes"], state["sizes"], strict=True)
        return cls(
            window=Window(state["start"], state["stop"]),
            embeddings=_array_from_text(state["embeddings"]),
            slot_probs=_array_from_text(state["slot_probs"]),
            tubes=tuple(TubeRLE(text.encode("ascii"), *size) for text, size in tubes),
            compiled=tuple((union_id, score) for union_id, score in state["compiled"]),
            tracks=None if state["tracks"] is None else tuple(state["tracks"]),
            queries=None if state["queries"] is None else tuple(state["queries"]),
            retracted=tuple(state["retracted"]),
            quality=_optional_array(state["quality"]),
        )


@dataclass(frozen=True, eq=False)
class TrackState:
    """What a head remembers of a video between two windows.

    The caller keeps it and hands it back; only the head that made it knows what the
    tensors mean. A head never changes a state that it was given.

    Args:
        stop: Frames of the video that are behind it.
        tensors: By name, on any device.
    """

    stop: int
    tensors: Mapping[str, Tensor]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data; :meth:`from_dict` reads back every bit."""
        tensors = {name: _tensor_to_text(x) for name, x in self.tensors.items()}
        return {"stop": self.stop, "tensors": tensors}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> "TrackState":
        """Rebuild a state from :meth:`to_dict`, with its tensors on the CPU."""
        tensors = {name: _tensor_from_text(x) for name, x in state["tensors"].items()}
        return cls(state["stop"], tensors)


def _optional_array(rows: list[list[float]] | None) -> np.ndarray | None:
    return None if rows is None else np.array(rows, dtype=np.float64).reshape(-1, 2)


def _array_to_text(array: np.ndarray) -> dict[str, Any]:
    data = np.ascontiguousarray(array, dtype="<f4").tobytes()
    return {"shape": list(array.shape), "data": base64.b64encode(data).decode("ascii")}


def _array_from_text(state: Mapping[str, Any]) -> np.ndarray:
    data = base64.b64decode(state["data"])
    return np.frombuffer(data, dtype="<f4").astype(np.float32).reshape(state["shape"])


def _tensor_to_text(tensor: Tensor) -> dict[str, Any]:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    # Empty arrays of NumPy may have strides of which no other type can be made.
    values = flat.view(torch.uint8).numpy().tobytes() if len(flat) else b""
    data = base64.b64encode(values).decode("ascii")
    dtype = str(tensor.dtype).removeprefix("torch.")
    return {"dtype": dtype, "shape": list(tensor.shape), "data": data}


def _tensor_from_text(state: Mapping[str, Any]) -> Tensor:
    data = bytearray(base64.b64decode(state["data"]))
    dtype = getattr(torch, state["dtype"])
    if not data:
        return torch.zeros(state["shape"], dtype=dtype)
    return torch.frombuffer(data, dtype=torch.uint8).view(dtype).reshape(state["shape"])
