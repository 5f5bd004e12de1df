"""Run image transforms on every frame of a clip with the same random choices."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from mmcv.transforms import BaseTransform, TransformBroadcaster
from mmdet.registry import TRANSFORMS

from ..errors import ClipRejectedError, ClipStructureError
from ..global_random import GlobalRandomState

Transform: TypeAlias = Callable[[dict[str, Any]], dict[str, Any] | None]


@TRANSFORMS.register_module()
class ClipBroadcaster(TransformBroadcaster):
    """Apply image transforms to all frames of a clip.

    In a clip, **lists are per frame** and have one entry per frame; everything else
    (strings, numbers, tuples) belongs to the clip, is shown to the transforms of every
    frame and must not be changed by them. It differs from mmcv's broadcaster, which
    demands that everything is a sequence, in these points:

    * Random choices are shared by default, those of third-party transforms as well:
      each transform meets every frame with the global generators (``random``,
      ``numpy.random``, torch on the CPU) in the same state. mmcv's
      ``cache_randomness`` is not needed.
    * A transform that draws more often in one frame than in another, because it looks
      at the frame, is an error instead of a clip whose frames were augmented
      differently. (One with a generator of its own is not noticed; see
      ``ImageCallable``.)
    * A transform that returns None rejects the clip, and the dataset replaces it.
    * mmdet's RandomCrop with ``allow_negative_crop=False`` demands an object of the
      clip, not of every frame: an object outside of a frame's crop is absent there.

    Args:
        transforms: Image transforms, e.g. mmdet's RandomFlip, RandomCrop, Resize,
            PhotoMetricDistortion.
        share_random_params: Same random choices on all frames.

    Raises:
        ClipRejectedError: If a transform returned None for a frame, or a crop left no
            object in the clip.
        ClipStructureError: If the lists of a clip differ in length, a transform changes
            a clip-level value, or randomness cannot be shared.
    """

    def __init__(
        self, transforms: Sequence[Any], *, share_random_params: bool = True
    ) -> None:
        super().__init__(list(transforms), share_random_params=share_random_params)
        self._demanding = [t for t in _flatten(self.transforms) if _demands_object(t)]
        for transform in self._demanding:
            # The demand moves from the frame to the clip, where it is checked.
            transform.allow_negative_crop = True

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Transform every frame."""
        frames = self._scatter(results)
        must_show = self._demanding and _shows_object(frames)
        for transform in self.transforms:
            frames = self._apply(transform, frames)
        if must_show and not _shows_object(frames):
            raise ClipRejectedError(
                f"{type(self._demanding[0]).__name__} left no object in the clip"
            )
        return self._gather(results, frames)

    def _apply(
        self, transform: Transform, frames: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        before = GlobalRandomState()
        outputs = [_transformed(transform, frames, 0)]
        if len(frames) == 1:
            return outputs
        draws = self.share_random_params and not before.is_current()
        after = GlobalRandomState()
        for number in range(1, len(frames)):
            if draws:
                before.restore()
            outputs.append(_transformed(transform, frames, number))
            # Where nothing is drawn, one look after the last frame is enough.
            is_last = number == len(frames) - 1
            shared = self.share_random_params and (draws or is_last)
            if shared and not after.is_current():
                raise _not_shared(transform)
        return outputs

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
        # A frame may lack a key where frames differ: mmdet's RandomFlip notes a matrix
        # in the frames that it flips.
        for key in dict.fromkeys(key for output in outputs for key in output):
            if key in results and type(results[key]) is not list:
                if any(output.get(key) is not results[key] for output in outputs):
                    raise ClipStructureError(
                        f"a transform changed {key!r}, a value of the whole clip; "
                        "give it one entry per frame (a list) before the broadcaster"
                    )
                gathered[key] = results[key]
            else:
                gathered[key] = [output.get(key) for output in outputs]
        return gathered


def _transformed(
    transform: Transform, frames: list[dict[str, Any]], number: int
) -> dict[str, Any]:
    output = transform(frames[number])
    if output is None:
        raise ClipRejectedError(
            f"{type(transform).__name__} returned None for frame {number} of the clip"
        )
    return output


def _flatten(transform: Any) -> Iterator[Any]:
    """Yield a transform and those that mmcv's wrappers (RandomApply ...) hold."""
    yield transform
    if isinstance(transform, BaseTransform) and isinstance(transform, Iterable):
        for inner in transform:
            yield from _flatten(inner)


def _demands_object(transform: Any) -> bool:
    return getattr(transform, "allow_negative_crop", None) is False


def _shows_object(frames: list[dict[str, Any]]) -> bool:
    """Return whether a frame has an object, or nothing is known about objects."""
    masks = [frame.get("gt_masks") for frame in frames]
    return any(m is None or m.masks.any() for m in masks)


def _not_shared(transform: Transform) -> ClipStructureError:
    return ClipStructureError(
        f"{type(transform).__name__} draws random numbers according to what a frame "
        "shows, so the frames would be augmented differently; use a transform whose "
        "choices depend on the size only, or set share_random_params=False to allow "
        "that"
    )
