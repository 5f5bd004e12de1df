"""Detections of a made-up video that meets every rule of IDOL's tracker.

The formula belongs to the golden kit ``idol_tracker``: eleven objects come and go, turn
(their embedding changes), are found twice, or hide until the memory runs empty.
"""

from typing import NamedTuple

import numpy as np

FRAMES, QUERIES, CLASSES, CHANNELS = 48, 24, 5, 32
MASK_SIZE = (12, 16)  # at stride 4
IMAGE_SIZE, OUTPUT_SIZE = (46, 60), (69, 90)
_OBJECTS = 11
_FAINT = (5, 44)
_DARK = range(20, 32)
_SCRIPTS = (
    ((6, 7), (9, 10)),
    ((7, 8), (10, 12)),
    ((0, 3), (12, 14)),
    ((1, 4), (14, 16)),
)


class Video(NamedTuple):
    """Raw outputs of all frames.

    Args:
        logits: (T, Q, K).
        boxes: (T, Q, 4), centre and size in [0, 1].
        embeds: (T, Q, C).
        masks: (T, Q, h, w) logits.
    """

    logits: np.ndarray
    boxes: np.ndarray
    embeds: np.ndarray
    masks: np.ndarray


class _Cast(NamedTuple):
    looks: np.ndarray
    present: np.ndarray
    turn: np.ndarray
    score: np.ndarray


def make_video(seed: int = 483) -> Video:
    """Make the video; 483 is the one of the kit."""
    rng = np.random.RandomState(seed)
    cast = _cast(rng)
    shape = (FRAMES, QUERIES)
    logits, boxes = np.zeros((*shape, CLASSES)), np.zeros((*shape, 4))
    embeds, mask_boxes = np.zeros((*shape, CHANNELS)), np.zeros((*shape, 4))
    for frame in range(FRAMES):
        order = rng.permutation(QUERIES)
        found = _found(cast, frame, rng)
        logits[frame] = _logit(0.004 + 0.03 * rng.uniform(size=(QUERIES, CLASSES)))
        centres = 0.2 + 0.6 * rng.uniform(size=(QUERIES, 2))
        sizes = 0.1 + 0.2 * rng.uniform(size=(QUERIES, 2))
        boxes[frame] = mask_boxes[frame] = np.concatenate([centres, sizes], 1)
        embeds[frame] = rng.standard_normal((QUERIES, CHANNELS))
        for query, (score, label, box, mask_box, embed) in zip(
            order, found[:QUERIES], strict=False
        ):
            logits[frame, query, label] = _logit(score)
            logits[frame, query, (label + 2) % CLASSES] = _logit(0.02 + 0.35 * score)
            boxes[frame, query], mask_boxes[frame, query] = box, mask_box
            embeds[frame, query] = embed
    arrays = logits, boxes, embeds, _masks(mask_boxes)
    return Video(*(array.astype(np.float32) for array in arrays))


def _cast(rng: np.random.RandomState) -> _Cast:
    looks = rng.standard_normal((_OBJECTS, 2, CHANNELS))
    looks /= np.sqrt((looks**2).sum(-1, keepdims=True))
    present = np.zeros((_OBJECTS, FRAMES), bool)
    turn = np.zeros((_OBJECTS, FRAMES))
    for one in range(_OBJECTS):
        frame = int(rng.randint(0, 4))
        while frame < FRAMES:
            stay = int(rng.choice([1, 2, 3, 5, 7]))
            present[one, frame : frame + stay] = True
            angle = rng.choice([0.0, 0.0, np.pi / 2, np.pi / 4])
            turn[one, frame : frame + stay] = angle
            frame += stay + int(rng.choice([1, 1, 2, 3, 9, 10, 11]))
    score = rng.uniform(0.15, 0.85, _OBJECTS)
    for one, runs in enumerate(_SCRIPTS):
        present[one, :17], turn[one, :17], score[one] = False, 0.0, 0.6
        for start, stop in runs:
            present[one, start:stop] = True
    return _Cast(looks, present, turn, score)


def _found(cast: _Cast, frame: int, rng: np.random.RandomState) -> list[tuple]:
    found = []
    for one in range(_OBJECTS):
        around = 2 * np.pi * (one / _OBJECTS + 0.011 * (one + 1) * frame)
        centre = 0.5 + 0.27 * np.cos(around), 0.5 + 0.27 * np.sin(around)
        box = np.array([*centre, 0.22 + 0.02 * (one % 5), 0.26 + 0.02 * (one % 4)])
        score = np.clip(cast.score[one] + 0.08 * rng.standard_normal(), 0.11, 0.93)
        angle = cast.turn[one, frame]
        look = np.cos(angle) * cast.looks[one, 0] + np.sin(angle) * cast.looks[one, 1]
        embed = 2.3 * look + 0.22 * rng.standard_normal(CHANNELS)
        kind, jitter, fade = rng.uniform(size=3)
        if 32 <= frame < 34:
            score = 0.21 + 0.007 * one  # between the two thresholds of a new track
        if frame in _FAINT:
            score = 0.03 + 0.005 * one
        if frame in _DARK or not cast.present[one, frame]:
            continue
        found.append((score, one % CLASSES, box, box, embed))
        if kind < 0.2:  # the box twice, the mask elsewhere
            far = np.array([1 - box[0], 1 - box[1], 0.12, 0.12])
            twin, label = box + 0.03 * (jitter - 0.5), (one + (fade > 0.6)) % CLASSES
            found.append((0.9 * score, label, twin, far, embed + 0.1 * fade))
        elif kind < 0.5:  # another class beside it
            twin = box + np.array([0.12 * jitter, 0.05, 0, 0])
            label = (one + 1) % CLASSES
            found.append((0.8 * score, label, twin, twin, embed * fade))
    if frame in _DARK:
        for one in range(4):
            box = np.array([0.15 + 0.23 * one, 0.5, 0.2, 0.3])
            found.append((0.12 + 0.015 * one, one, box, box, np.zeros(CHANNELS)))
    return found


def _masks(boxes: np.ndarray) -> np.ndarray:
    y, x = ((np.arange(side) + 0.5) / side for side in MASK_SIZE)
    box = boxes[..., None, None]
    beyond_x = np.abs(x[None, :] - box[:, :, 0]) - box[:, :, 2] / 2
    beyond_y = np.abs(y[:, None] - box[:, :, 1]) - box[:, :, 3] / 2
    masks = 4.0 - 18.0 * np.maximum(beyond_x, beyond_y)
    masks = np.clip(masks, -6, 6) - 3.93
    return masks + 0.5 * np.sign(masks)


def _logit(share: np.ndarray) -> np.ndarray:
    return np.log(share / (1 - share))
