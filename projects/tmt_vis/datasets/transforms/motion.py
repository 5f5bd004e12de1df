"""Motion for still images: rotation and drift that change from frame to frame."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from .frame_instances import update_clip

_INTERPOLATIONS = dict(bilinear=cv2.INTER_LINEAR, nearest=cv2.INTER_NEAREST)
_MOTIONS = ("line", "jitter")


@TRANSFORMS.register_module()
class RotateClip(BaseTransform):
    """Rotate every frame by its own angle, as if the camera were turning.

    The angles are drawn independently, sorted, and put in falling order with
    probability 0.5; all frames turn about one centre. Size and scale are kept, so
    corners leave the frame. What comes in has the colour ``pad_value`` and is no
    object; an instance that leaves a frame wholly is absent there. VITA
    (arXiv:2206.04403) makes its COCO pseudo-videos this way.

    Required keys: img and the lists of LoadClipAnnotations.
    Modified keys: img, gt_masks, gt_bboxes and the other per-instance lists.

    Args:
        angle_range: Smallest and largest angle, in degrees, counter-clockwise.
        center_range: Range of the centre's x and y, as a share of width and height.
        prob: Probability that a clip is rotated.
        pad_value: BGR colour of the border; by default ImageNet's mean, which the
            preprocessor turns to about zero, like padding.
        interpolation: ``bilinear`` or ``nearest``, of the image; masks use nearest.

    Raises:
        ValueError: If a range is not ascending, or the interpolation unknown.
    """

    def __init__(
        self,
        *,
        angle_range: tuple[float, float] = (-15.0, 15.0),
        center_range: tuple[float, float] = (0.4, 0.6),
        prob: float = 1.0,
        pad_value: Sequence[float] = (104, 116, 124),
        interpolation: str = "bilinear",
    ) -> None:
        _check_range("angle_range", angle_range, -360, 360)
        _check_range("center_range", center_range, 0, 1)
        if interpolation not in _INTERPOLATIONS:
            raise ValueError(
                f"interpolation must be one of {sorted(_INTERPOLATIONS)}, got "
                f"{interpolation!r}"
            )
        self.angle_range = angle_range
        self.center_range = center_range
        self.prob = prob
        self.pad_value = tuple(pad_value)
        self.interpolation = interpolation

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Rotate the frames of a clip."""
        if np.random.rand() >= self.prob:
            return results
        angles = _monotone(np.random.uniform(*self.angle_range, len(results["img"])))
        center = np.random.uniform(*self.center_range, 2)
        for number, angle in enumerate(angles):
            self._rotate_frame(results, number, angle, center)
        return results

    def _rotate_frame(
        self, results: dict[str, Any], number: int, angle: float, center: np.ndarray
    ) -> None:
        image = results["img"][number]
        size = image.shape[1::-1]
        # Pixel i is at i + 0.5 of the width, so the middle of W pixels is (W - 1) / 2.
        middle = center * size - 0.5
        matrix = cv2.getRotationMatrix2D(middle.tolist(), float(angle), 1.0)
        results["img"][number] = cv2.warpAffine(
            image,
            matrix,
            size,
            flags=_INTERPOLATIONS[self.interpolation],
            borderValue=self.pad_value,
        )
        masks = results["gt_masks"][number].masks
        rotated = np.zeros_like(masks)
        for source, target in zip(masks, rotated, strict=True):
            cv2.warpAffine(source, matrix, size, dst=target, flags=cv2.INTER_NEAREST)
        update_clip(results, number, rotated)


@TRANSFORMS.register_module()
class DriftingCrop(BaseTransform):
    """Crop every frame with a window of one size that moves through the clip.

    The size is drawn once per clip, as mmdet's RandomCrop with ``relative_range``.
    The window's corners lie in a box which is ``drift`` times as large as the room
    that the window has, at a random place of it. An instance outside of a frame's
    window is absent in that frame. It works on videos as well as on pseudo-clips.

    Required keys: img and the lists of LoadClipAnnotations.
    Modified keys: img, img_shape, gt_masks, gt_bboxes and the other per-instance
    lists.

    Args:
        crop_size: Smallest share of width and of height that is kept, in (0, 1].
        pixel_range: Smallest and largest side of the window in pixels, instead of
            ``crop_size``; a shorter side of the image is its own limit. VITA: 384, 600.
        motion: ``line``: from one random corner to another, forwards, at uneven
            speed, as VITA; ``jitter``: an independent corner for each frame.
        drift: How far the window moves, in [0, 1]; 0 is an ordinary random crop.
        prob: Probability that a clip is cropped.

    Raises:
        ValueError: If an option is outside of its range.
    """

    def __init__(
        self,
        *,
        crop_size: tuple[float, float] = (0.6, 0.6),
        pixel_range: tuple[int, int] | None = None,
        motion: str = "line",
        drift: float = 1.0,
        prob: float = 1.0,
    ) -> None:
        if len(crop_size) != 2 or not all(0 < size <= 1 for size in crop_size):
            raise ValueError(
                f"crop_size must be two shares in (0, 1], got {crop_size}; it is the "
                "smallest (width, height) to keep, not pixels"
            )
        if pixel_range is not None:
            _check_range("pixel_range", pixel_range, 1, 2**15)
        if motion not in _MOTIONS:
            raise ValueError(f"motion must be one of {_MOTIONS}, got {motion!r}")
        if not 0 <= drift <= 1:
            raise ValueError(f"drift must be in [0, 1], got {drift}")
        self.crop_size = crop_size
        self.pixel_range = pixel_range
        self.motion = motion
        self.drift = drift
        self.prob = prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crop the frames of a clip."""
        if np.random.rand() >= self.prob:
            return results
        full = np.array(results["img"][0].shape[1::-1])
        size = self._size(full)
        corners = self._corners(full - size, len(results["img"]))
        for number, (x, y) in enumerate(corners.tolist()):
            window = np.s_[y : y + size[1], x : x + size[0]]
            results["img"][number] = results["img"][number][window]
            results["img_shape"][number] = (int(size[1]), int(size[0]))
            masks = results["gt_masks"][number].masks[(slice(None), *window)]
            update_clip(results, number, np.ascontiguousarray(masks))
        return results

    def _size(self, full: np.ndarray) -> np.ndarray:
        """Draw width and height of the window, (2,) int."""
        if self.pixel_range is not None:
            smallest, largest = (np.minimum(full, side) for side in self.pixel_range)
            return np.random.randint(smallest, largest + 1)
        share = np.random.uniform(self.crop_size, 1.0)
        return np.maximum(1, np.rint(full * share)).astype(int)

    def _corners(self, room: np.ndarray, num_frames: int) -> np.ndarray:
        """Draw (T, 2) integer x, y of the windows' corners, in [0, room]."""
        box = room * self.drift
        start = np.random.uniform(0, 1, 2) * (room - box)
        if self.motion == "jitter":
            places = np.random.uniform(0, 1, (num_frames, 2))
        else:
            ends = np.random.uniform(0, 1, (2, 2))
            steps = np.sort(np.random.uniform(0, 1, num_frames))[:, None]
            places = ends[0] + steps * (ends[1] - ends[0])
        return np.rint(start + places * box).astype(int)


def _monotone(values: np.ndarray) -> np.ndarray:
    """Sort, and reverse every other time."""
    ordered = np.sort(values)
    return ordered[::-1] if np.random.rand() < 0.5 else ordered


def _check_range(
    name: str, values: tuple[float, float], lowest: float, highest: float
) -> None:
    if len(values) != 2 or not lowest <= values[0] <= values[1] <= highest:
        raise ValueError(
            f"{name} must be two ascending numbers in [{lowest}, {highest}], got "
            f"{tuple(values)}"
        )
