"""Videos cut into frames, as training and labelling tools read them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tmt_vis.files import replacing
from tmt_vis.inference import FrameSource, FrameSourceError

INDEX = "frames.json"
_DIGITS = 6


@dataclass(frozen=True)
class ExtractOptions:
    """Which frames are kept, and how they are stored.

    Args:
        every: Keep every n-th frame, starting with the first one.
        max_frames: Stop after so many kept frames; None keeps all.
        suffix: ``.jpg`` or ``.png``.
        quality: JPEG quality, 1 to 100.
    """

    every: int = 1
    max_frames: int | None = None
    suffix: str = ".jpg"
    quality: int = 95


def extract_frames(
    source: FrameSource,
    out: Path,
    options: ExtractOptions,
    *,
    progress: Callable[[], None] = lambda: None,
) -> int:
    """Write the frames of a video to a new folder.

    Beside ``000000.jpg``, ``000001.jpg`` and on, ``frames.json`` says which frame of
    the video each of them is and at how many seconds it is shown.

    Args:
        source: The video.
        out: The folder; it appears complete or not at all.
        options: What is kept.
        progress: Called after each kept frame.

    Returns:
        Number of frames written.

    Raises:
        FrameSourceError: If the folder exists, or the video cannot be read to its end.
    """
    if out.exists():
        raise FrameSourceError(f"{out} exists; give a folder that does not")
    kept: list[int] = []
    seen = 0
    with replacing(out) as draft:
        draft.mkdir()
        for number, frame in enumerate(source.frames()):
            if len(kept) == options.max_frames:
                break
            seen = number + 1
            if number % options.every == 0:
                _write(draft / _file_name(len(kept), options), frame, options)
                kept.append(number)
                progress()
        if source.truncated:
            raise FrameSourceError(
                f"{source.truncated}; cut the readable part out first, or take it with "
                f"--max-frames {len(kept)}"
            )
        text = json.dumps(_index(source, kept, seen, options), ensure_ascii=False)
        (draft / INDEX).write_text(text + "\n", encoding="utf-8")
    return len(kept)


def _index(
    source: FrameSource, kept: Sequence[int], seen: int, options: ExtractOptions
) -> dict[str, Any]:
    """Say which frame each file is, and when it is shown."""
    fps, times = source.timing(seen)
    return {
        "video": source.name,
        "height": source.height,
        "width": source.width,
        "fps": fps,
        "frames": [
            {
                "file": _file_name(position, options),
                "frame": number,
                "time": times[number] if times else round(number / fps, 6),
            }
            for position, number in enumerate(kept)
        ],
    }


def _file_name(position: int, options: ExtractOptions) -> str:
    return f"{position:0{_DIGITS}d}{options.suffix}"


def _write(path: Path, frame: np.ndarray, options: ExtractOptions) -> None:
    is_jpeg = options.suffix == ".jpg"
    parameters = [cv2.IMWRITE_JPEG_QUALITY, options.quality] if is_jpeg else []
    done, data = cv2.imencode(options.suffix, frame, parameters)
    if not done:
        raise FrameSourceError(f"OpenCV cannot encode {options.suffix} images")
    path.write_bytes(data.tobytes())
