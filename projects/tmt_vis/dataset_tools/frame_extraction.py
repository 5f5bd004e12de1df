"""Videos cut into frames, as training and labelling tools read them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2

from tmt_vis.files import replacing
from tmt_vis.inference import FrameSource, FrameSourceError

INDEX = "frames.json"
_MAX_DIGITS = 6


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
    rows = []
    with replacing(out) as draft:
        draft.mkdir()
        for number, frame in enumerate(source.frames()):
            if number % options.every:
                continue
            if options.max_frames is not None and len(rows) == options.max_frames:
                break
            name = f"{len(rows):0{_MAX_DIGITS}d}{options.suffix}"
            _write(draft / name, frame, options)
            rows.append({"file": name, "frame": number, "time": source.time_of(number)})
            progress()
        if source.truncated:
            raise FrameSourceError(
                f"{source.truncated}; cut the readable part out first, or extract it "
                "with --max-frames"
            )
        index = {
            "video": source.name,
            "fps": source.fps,
            "height": source.height,
            "width": source.width,
            "frames": rows,
        }
        text = json.dumps(index, indent=1, ensure_ascii=False)
        (draft / INDEX).write_text(text + "\n", encoding="utf-8")
    return len(rows)


def _write(path: Path, frame, options: ExtractOptions) -> None:
    parameters = [cv2.IMWRITE_JPEG_QUALITY, options.quality]
    done, data = cv2.imencode(
        options.suffix, frame, parameters if options.suffix == ".jpg" else []
    )
    if not done:
        raise FrameSourceError(f"OpenCV cannot encode {options.suffix} images")
    path.write_bytes(data.tobytes())
