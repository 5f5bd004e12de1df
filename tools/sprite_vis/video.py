"""Compose one video: which objects, where, in which order, and their frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from .backgrounds import paint_backgrounds
from .motion import plan_motion
from .scene import Frame, Sprite, draw_frame
from .styles import Style, develop, place_anchors

# Slivers below this many pixels are not annotated, as no annotator would.
MIN_VISIBLE_AREA = 8


class PatchSource(Protocol):
    """Draws one instance of a category of a dataset."""

    def draw(
        self, dataset: str, slot: int, *, size: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, float]:
        """Return an RGBA patch (size, size, 4) uint8 and the aspect to draw it with.

        Colours are multiplied by alpha; the aspect is width over height.
        """


@dataclass(frozen=True)
class Video:
    """A rendered video; ``masks[i]`` belongs to an object of category ``slots[i]``."""

    images: list[np.ndarray]  # T of (H, W, 3) uint8 RGB
    slots: list[int]  # N
    masks: np.ndarray  # (N, T, H, W) bool, visible pixels
    full_areas: np.ndarray  # (N, T) in-frame pixels without occlusion


@dataclass(frozen=True)
class Casting:
    """Which categories a split of a dataset draws, and how often.

    Args:
        dataset: its name.
        slots: categories that are annotated.
        weights: how often each is drawn; None = all alike.
        foreign: ``(dataset, slot)`` of categories outside the label space, which are
            drawn and not annotated.
        distractors: mean number of foreign objects per video.
    """

    dataset: str
    slots: Sequence[int]
    weights: np.ndarray | None = None
    foreign: Sequence[tuple[str, int]] = ()
    distractors: float = 0.0

    def draw_slot(self, rng: np.random.Generator) -> int:
        """Draw the category of one annotated object."""
        if self.weights is None:
            return self.slots[rng.integers(len(self.slots))]
        return self.slots[rng.choice(len(self.slots), p=self.weights)]

    def draw_foreign(self, rng: np.random.Generator) -> list[tuple[str, int]]:
        """Draw the categories of a video's foreign objects."""
        if not (self.distractors and self.foreign):
            return []
        picks = rng.integers(len(self.foreign), size=rng.poisson(self.distractors))
        return [self.foreign[pick] for pick in picks]


def _draw_slots(
    style: Style, first: int, casting: Casting, rng: np.random.Generator
) -> list[int]:
    """Return the categories of a video's objects; the first is given."""
    count = int(rng.integers(style.num_objects[0], style.num_objects[1] + 1))
    chosen = [first]
    for _ in range(count - 1):
        repeat = rng.random() < style.same_class_ratio
        chosen.append(first if repeat else casting.draw_slot(rng))
    return chosen


def _cast(
    style: Style,
    *,
    chosen: Sequence[tuple[str, int]],
    source: PatchSource,
    hw: tuple[int, int],
    num_frames: int,
    rng: np.random.Generator,
) -> list[Sprite]:
    """Create the sprites of a video, in random depth order."""
    anchors = place_anchors(style, count=len(chosen), hw=hw, rng=rng)
    sprites = []
    for index in rng.permutation(len(chosen)):
        poses = plan_motion(
            style.motion, anchor=anchors[index], num_frames=num_frames, hw=hw, rng=rng
        )
        # a little finer than on screen: bilinear sampling then neither blurs nor
        # skips texels
        texels = int(np.clip(1.3 * max(p.size for p in poses), 24, 512))
        dataset, slot = chosen[index]
        patch, aspect = source.draw(dataset, slot, size=texels, rng=rng)
        sprites.append(Sprite(dataset, slot, patch, aspect, poses))
    return sprites


def _annotate(frames: Sequence[Frame], num_sprites: int) -> np.ndarray:
    """Return the visible masks (S, T, H, W) bool, slivers removed."""
    owner = np.stack([frame.owner for frame in frames])
    masks = owner[None] == np.arange(num_sprites, dtype=np.int16)[:, None, None, None]
    slivers = masks.sum(axis=(2, 3)) < MIN_VISIBLE_AREA
    masks[slivers] = False
    return masks


def compose_video(
    casting: Casting,
    style: Style,
    *,
    first_slot: int,
    source: PatchSource,
    hw: tuple[int, int],
    num_frames: int,
    rng: np.random.Generator,
) -> Video:
    """Render one video of a dataset.

    Args:
        casting: the categories the other objects are drawn from.
        style: the dataset's rendering style.
        first_slot: category of the first object.
        source: draws a category's sprite.
        hw: image height and width in pixels.
        num_frames: T.
        rng: source of everything else.

    Returns:
        The video, without the objects that no frame shows. Foreign objects are in the
        pictures only.
    """
    slots = _draw_slots(style, first_slot, casting, rng)
    own = [(casting.dataset, slot) for slot in slots]
    sprites = _cast(
        style,
        chosen=own + casting.draw_foreign(rng),
        source=source,
        hw=hw,
        num_frames=num_frames,
        rng=rng,
    )
    views = paint_backgrounds(style.background, hw=hw, num_frames=num_frames, rng=rng)
    frames = [draw_frame(view, sprites, t) for t, view in enumerate(views)]
    masks = _annotate(frames, len(sprites))
    seen = masks.any(axis=(1, 2, 3))
    seen &= [sprite.dataset == casting.dataset for sprite in sprites]
    images = [develop(frame.image, style.camera, rng) for frame in frames]
    return Video(
        images=images,
        slots=[s.slot for s, visible in zip(sprites, seen, strict=True) if visible],
        masks=masks[seen],
        full_areas=np.stack([frame.full_areas for frame in frames], axis=1)[seen],
    )


def encode_image(image: np.ndarray, extension: str) -> bytes:
    """Return an RGB picture (H, W, 3) uint8 as the bytes of a .jpg or .png file."""
    options = {
        ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 93],
        ".png": [cv2.IMWRITE_PNG_COMPRESSION, 3],
    }[extension]
    _, buffer = cv2.imencode(extension, image[..., ::-1], options)
    return buffer.tobytes()
