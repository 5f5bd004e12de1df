"""Which masks of an annotation are meant, and which frames anybody looked at."""

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def segmentations_of(
    annotation: Mapping[str, Any],
    key: str,
    *,
    num_files: int,
    declared_length: int,
) -> list[Any]:
    """Return one segmentation (or None) per frame file of the video.

    Where ``length`` and the files differ (UVO), frames beyond the list are absent and
    entries beyond the files cannot be shown to anybody.

    Args:
        annotation: An entry of ``annotations``.
        key: Name of the list, ``segmentations`` unless the data set has several.
        num_files: Frame files of the video.
        declared_length: What the video's ``length`` says.

    Raises:
        ValueError: If there is no such list or it is of another length.
    """
    frames = annotation.get(key)
    if not isinstance(frames, list):
        there = sorted(name for name in annotation if name.startswith("segmentation"))
        raise ValueError(
            f"segmentation_key is {key!r}, which is missing or not a list; the entry "
            f"has {reprlib.repr(there)}"
        )
    if len(frames) not in (num_files, declared_length):
        raise ValueError(
            f"{key} must have one entry per frame, got {len(frames)} for {num_files} "
            f"file_names (length={declared_length})"
        )
    return [*frames, *[None] * num_files][:num_files]


def is_absent(mask: Any) -> bool:
    """Tell whether a frame's entry says that the instance is not there.

    Only null and ``[]`` do. What else is false in Python (``{}``, 0, ``""``) is damage.
    """
    return mask is None or (type(mask) is list and not mask)


def annotated_frames(tracks: Iterable[Sequence[Any]]) -> list[int]:
    """List the frames in which some object of a video has a mask.

    Files annotated at some frames only (UVO's sparse set: one per second) do not say
    which: there, a frame without any mask is one that nobody looked at.

    Args:
        tracks: The segmentations of every object of the video, one per frame.

    Returns:
        Frame numbers, ascending.
    """
    shown: set[int] = set()
    for track in tracks:
        shown.update(t for t, mask in enumerate(track) if not is_absent(mask))
    return sorted(shown)
