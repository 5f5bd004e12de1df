"""Run image transforms on every frame of a clip with the same random choices."""

import random
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
from mmcv.transforms import TransformBroadcaster
from mmcv.transforms.utils import cache_random_params
from mmdet.registry import TRANSFORMS

from ..errors import ClipStructureError


@TRANSFORMS.register_module()
class ClipBroadcaster(TransformBroadcaster):
    """Apply image transforms to all frames of a clip.

    In a clip, **lists are per frame** and have one entry per frame; everything else
    (strings, numbers, tuples) belongs to the clip, is shown to the transforms of every
    frame and must not be changed by them. It differs from mmcv's broadcaster, which
    demands that everything is a sequence, in three more points:

    * A transform that returns None makes the clip None, and the dataset replaces it.
    * Random choices are shared by default.
    * A transform whose choices cannot be shared, because it draws outside of a method
      decorated with ``cache_randomness``, is an error instead of a clip whose frames
      were augmented differently. It is noticed by the generators moving after the
      first frame.

    Args:
        transforms: Image transforms, e.g. mmdet's RandomFlip, RandomCrop, Resize,
            PhotoMetricDistortion. RandomCrop should set ``allow_negative_crop=True``:
            otherwise one frame without object discards the clip.
        share_random_params: Same random choices on all frames.

    Raises:
        ClipStructureError: If the lists of a clip differ in length, a transform changes
            a clip-level value, or randomness cannot be shared.
    """

    def __init__(
        self, transforms: Sequence[Any], *, share_random_params: bool = True
    ) -> None:
        super().__init__(list(transforms), share_random_params=share_random_params)

    def transform(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """Transform every frame; None if a transform returned None for one."""
        frames = self._scatter(results)
        share = self.share_random_params
        with cache_random_params(self.transforms) if share else nullcontext():
            outputs = []
            for number, frame in enumerate(frames):
                state = _random_state() if share and number else None
                output = self.transforms(frame)
                if output is None:
                    return None
                if state is not None and _random_state() != state:
                    raise self._not_shared()
                outputs.append(output)
        return self._gather(results, outputs)

    def _scatter(self, results: dict[str, Any]) -> list[dict[str, Any]]:
        lists = {key: value for key, value in results.items() if type(value) is list}
        lengths = {key: len(value) for key, value in lists.items()}
        if len(set(lengths.values())) != 1 or 0 in lengths.values():
            raise ClipStructureError(
                f"the lists of a clip hold one entry per frame, got lengths {lengths}; "
                "use a tuple for values of the whole clip"
            )
        num_frames = next(iter(lengths.values()))
        return [
            {**results, **{key: value[t] for key, value in lists.items()}}
            for t in range(num_frames)
        ]

    def _gather(
        self, results: dict[str, Any], outputs: list[dict[str, Any]]
    ) -> dict[str, Any]:
        gathered: dict[str, Any] = {}
        for key in outputs[0]:
            if key in results and type(results[key]) is not list:
                if any(output[key] is not results[key] for output in outputs):
                    raise ClipStructureError(
                        f"a transform changed {key!r}, a value of the whole clip; "
                        "give it one entry per frame (a list) before the broadcaster"
                    )
                gathered[key] = results[key]
            else:
                gathered[key] = [output[key] for output in outputs]
        return gathered

    def _not_shared(self) -> ClipStructureError:
        names = [type(transform).__name__ for transform in self.transforms]
        return ClipStructureError(
            f"a transform among {names} draws random numbers for every frame, so the "
            "frames would be augmented differently; decorate its drawing method with "
            "mmcv's cache_randomness, or set share_random_params=False to allow that"
        )


def _random_state() -> tuple[bytes, int, int]:
    """Fingerprint numpy's and Python's global generators (about 15 microseconds)."""
    _, keys, position, *_ = np.random.get_state()
    return keys.tobytes(), position, hash(random.getstate())
