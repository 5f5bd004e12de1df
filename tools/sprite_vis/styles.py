"""One rendering style per dataset: how crowded, how large, through which camera."""

from dataclasses import dataclass

import cv2
import numpy as np

from .motion import MotionRange


@dataclass(frozen=True)
class Camera:
    """What happens to a drawn frame on its way to the file."""

    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)  # per RGB channel
    noise: float = 0.0  # standard deviation, grey levels
    blur: float = 0.0  # Gaussian sigma, pixels
    jpeg_quality: int | None = None  # compressed once before it is stored


@dataclass(frozen=True)
class Style:
    """Everything that differs between the pictures of two datasets."""

    background: str
    num_objects: tuple[int, int]  # inclusive
    motion: MotionRange
    camera: Camera
    crowding: float  # 0 = spread over the frame, 1 = all on one spot
    same_class_ratio: float  # chance that a further object repeats the first's class


STYLES: dict[str, Style] = {
    # 1.6 objects per video, clean (Table 8 of the paper for these counts)
    "ytvis19": Style(
        background="meadow",
        num_objects=(1, 3),
        motion=MotionRange((0.34, 0.54), (0.01, 0.05), visit_ratio=0.2, spin=0.06),
        camera=Camera(noise=2.0),
        crowding=0.0,
        same_class_ratio=0.25,
    ),
    # 2.1 objects per video
    "ytvis21": Style(
        background="meadow",
        num_objects=(1, 4),
        motion=MotionRange((0.30, 0.50), (0.01, 0.05), visit_ratio=0.25, spin=0.06),
        camera=Camera(gain=(0.94, 0.98, 1.0), noise=3.0),
        crowding=0.1,
        same_class_ratio=0.3,
    ),
    # 5.8 objects per video, heavily occluded
    "ovis": Style(
        background="thicket",
        num_objects=(3, 6),
        motion=MotionRange((0.32, 0.48), (0.01, 0.04), visit_ratio=0.15, spin=0.05),
        camera=Camera(gain=(0.72, 0.74, 0.80), noise=7.0),
        crowding=0.5,
        same_class_ratio=0.4,
    ),
    # 9.3 objects per video, small
    "uvo": Style(
        background="room",
        num_objects=(3, 8),
        motion=MotionRange((0.24, 0.34), (0.008, 0.03), visit_ratio=0.15, spin=0.08),
        camera=Camera(gain=(1.0, 0.93, 0.80), blur=0.6, jpeg_quality=50),
        crowding=0.1,
        same_class_ratio=0.3,
    ),
}


def develop(image: np.ndarray, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Return a frame as a dataset's camera would have stored it.

    Args:
        image: (H, W, 3) uint8 RGB.
        camera: gain, noise, blur and compression.
        rng: source of the noise.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    picture = image.astype(np.float32) * np.array(camera.gain, np.float32)
    if camera.blur > 0:
        picture = cv2.GaussianBlur(picture, (0, 0), camera.blur)
    if camera.noise > 0:
        grain = rng.standard_normal(picture.shape, dtype=np.float32)
        picture = picture + camera.noise * grain
    stored = np.clip(np.round(picture), 0, 255).astype(np.uint8)
    if camera.jpeg_quality is None:
        return stored
    options = [cv2.IMWRITE_JPEG_QUALITY, camera.jpeg_quality]
    _, buffer = cv2.imencode(".jpg", stored[..., ::-1], options)
    return cv2.imdecode(buffer, cv2.IMREAD_COLOR)[..., ::-1]


def place_anchors(
    style: Style, *, count: int, hw: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Return where the paths of a video's sprites pass, spread and then crowded.

    Args:
        style: the dataset's style.
        count: S, sprites in the video.
        hw: image height and width in pixels.
        rng: source of the places.

    Returns:
        (S, 2) x and y in pixels.
    """
    extent = np.array([hw[1], hw[0]], float)
    places = [rng.uniform(0.2, 0.8, 2) * extent]
    for _ in range(count - 1):
        candidates = rng.uniform(0.15, 0.85, (12, 2)) * extent
        gaps = np.linalg.norm(candidates[:, None] - np.array(places)[None], axis=2)
        places.append(candidates[gaps.min(axis=1).argmax()])
    spread = np.array(places)
    return spread + style.crowding * (spread.mean(axis=0) - spread)
