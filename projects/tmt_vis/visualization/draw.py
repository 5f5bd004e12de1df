"""Tracks over frames: masks, contours and tags that stay legible on small video.

Images are (H, W, 3) uint8 RGB.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from tmt_vis.structures import TubeRLE, frame_masks

from .palette import RGB, track_color
from .text import Box, draw_tag, font, place_box, tag_size

SHORT_SIDE = 480  # frames are enlarged to at least this before anything is written


@dataclass(frozen=True)
class TrackLabel:
    """What the tag of a track says, and in which colour.

    Args:
        track_id: Number shown, and the colour's key.
        name: Category name.
        score: In [0, 1]; None for ground truth.
    """

    track_id: int
    name: str
    score: float | None = None

    @property
    def text(self) -> str:
        """The tag, e.g. ``3 giant panda .87``."""
        name = self.name.replace("_", " ")
        score = "" if self.score is None else f" {self.score:.2f}"
        return f"{self.track_id} {name}{score}"

    @property
    def color(self) -> RGB:
        """The track's colour."""
        return track_color(self.track_id)


def zoom_for(height: int, width: int, *, short_side: int = SHORT_SIDE) -> int:
    """Return the integer factor that makes a frame large enough for text."""
    return max(1, -(-short_side // min(height, width)))


def draw_tracks(
    image: np.ndarray,
    masks: np.ndarray,
    labels: Sequence[TrackLabel],
    *,
    zoom: int | None = None,
    alpha: float = 0.45,
    tags: bool = True,
) -> np.ndarray:
    """Draw tracks over one frame.

    Args:
        image: (H, W, 3) uint8 RGB.
        masks: (N, H, W) bool, True = object; empty masks are skipped.
        labels: N labels.
        zoom: Integer enlargement; None chooses it so that text is legible.
        alpha: Opacity of the masks in [0, 1].
        tags: Write ``id name score`` at each object.

    Returns:
        (zoom * H, zoom * W, 3) uint8 RGB, a new array.

    Raises:
        ValueError: If shapes do not fit together.
    """
    height, width = image.shape[:2]
    if image.dtype != np.uint8 or masks.shape != (len(labels), height, width):
        raise ValueError(
            f"need an (H, W, 3) uint8 image and (N={len(labels)}, H, W) masks, got "
            f"{image.dtype} {image.shape} and {masks.shape}"
        )
    zoom = zoom_for(height, width) if zoom is None else zoom
    canvas = _enlarge(image, zoom)
    visible = [i for i in range(len(labels)) if masks[i].any()]
    # Small objects last: a person must not vanish under the bus.
    visible.sort(key=lambda i: -int(masks[i].sum()))
    large = {i: _enlarge_mask(masks[i], zoom) for i in visible}
    for i in visible:
        _blend(canvas, large[i], labels[i].color, alpha)
    for i in visible:
        _outline(canvas, large[i], labels[i].color)
    if not tags:
        return canvas
    return _write_tags(canvas, [(large[i], labels[i]) for i in visible])


def draw_video(
    frames: Iterable[np.ndarray],
    tubes: Sequence[TubeRLE],
    labels: Sequence[TrackLabel],
    *,
    zoom: int | None = None,
    alpha: float = 0.45,
    tags: bool = True,
) -> Iterator[np.ndarray]:
    """Draw tracks over a video, one frame at a time.

    Args:
        frames: T images (H, W, 3) uint8 RGB.
        tubes: N tubes of T frames at the size of the images.
        labels: N labels.
        zoom: As in :func:`draw_tracks`.
        alpha: As in :func:`draw_tracks`.
        tags: As in :func:`draw_tracks`.

    Yields:
        T images, as :func:`draw_tracks` returns them.

    Raises:
        ValueError: If a tube has another size or ends before the video.
    """
    decoded = None
    for number, image in enumerate(frames):
        if not tubes:
            masks = np.zeros((0, *image.shape[:2]), dtype=bool)
        else:
            decoded = decoded or _decode(tubes, image.shape[:2])
            masks = next(decoded, None)
            if masks is None:
                raise ValueError(f"the tubes end at frame {number}, the video does not")
        yield draw_tracks(image, masks, labels, zoom=zoom, alpha=alpha, tags=tags)


def _decode(tubes: Sequence[TubeRLE], size: tuple[int, int]) -> Iterator[np.ndarray]:
    height, width = size
    length = tubes[0].num_frames
    return frame_masks(tubes, height=height, width=width, num_frames=length)


def draw_legend(
    labels: Sequence[TrackLabel], *, width: int, size: int = 15
) -> np.ndarray:
    """Draw the tags of all tracks in rows, to put under a video.

    Args:
        labels: N labels.
        width: Width of the picture in pixels.
        size: Height of the text in pixels.

    Returns:
        (h, width, 3) uint8 RGB, white, as high as the rows need.
    """
    gap, places = 6, []
    x, y = gap, gap
    for label in labels:
        tag_width, tag_height = tag_size(label.text, size)
        if x + tag_width + gap > width and x > gap:
            x, y = gap, y + tag_height + gap
        places.append((x, y, x + tag_width, y + tag_height))
        x += tag_width + gap
    height = (places[-1][3] if places else 0) + gap
    canvas = Image.new("RGB", (width, height), "white")
    for label, box in zip(labels, places, strict=True):
        draw_tag(canvas, label.text, box, label.color, size)
    return np.array(canvas)


def _enlarge(image: np.ndarray, zoom: int) -> np.ndarray:
    height, width = image.shape[:2]
    size = (width * zoom, height * zoom)
    return (
        cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
        if zoom > 1
        else image.copy()
    )


def _enlarge_mask(mask: np.ndarray, zoom: int) -> np.ndarray:
    """Enlarge with round corners: (H, W) bool -> (zoom * H, zoom * W) uint8."""
    if zoom == 1:
        return mask.astype(np.uint8)
    height, width = mask.shape
    soft = cv2.resize(
        mask.astype(np.float32),
        (width * zoom, height * zoom),
        interpolation=cv2.INTER_LINEAR,
    )
    return (soft >= 0.5).astype(np.uint8)


def _blend(canvas: np.ndarray, mask: np.ndarray, color: RGB, alpha: float) -> None:
    inside = mask.view(bool)
    mixed = canvas[inside] * (1 - alpha) + np.array(color) * alpha
    canvas[inside] = np.rint(mixed).astype(np.uint8)


def _outline(canvas: np.ndarray, mask: np.ndarray, color: RGB) -> None:
    """Draw the contour in the track's colour on a dark one that is a bit wider."""
    contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    thin = max(1, round(min(canvas.shape[:2]) / 240))
    cv2.drawContours(canvas, contours, -1, (0, 0, 0), 2 * thin, cv2.LINE_AA)
    cv2.drawContours(canvas, contours, -1, color, thin, cv2.LINE_AA)


def _write_tags(
    canvas: np.ndarray, objects: Sequence[tuple[np.ndarray, TrackLabel]]
) -> np.ndarray:
    """Write the tag of every visible object."""
    picture = Image.fromarray(canvas)
    height, width = canvas.shape[:2]
    taken: list[Box] = []
    for mask, label in objects:
        size = _fitting_size(label.text, width, max(11, round(min(height, width) / 30)))
        x, y, w, h = cv2.boundingRect(mask)
        box = place_box(
            tag_size(label.text, size), (x, y, x + w, y + h), taken, (height, width)
        )
        taken.append(box)
        draw_tag(picture, label.text, box, label.color, size)
    return np.array(picture)


def _fitting_size(text: str, width: int, size: int) -> int:
    """Shrink the text until it fits the frame, down to 6 pixels."""
    while size > 6 and font(size).getlength(text) > width - 8:
        size -= 1
    return size
