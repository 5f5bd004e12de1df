"""Which frames of a video make a training clip."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class ClipSampler:
    """Choose the frames of a training clip: a reference frame and its neighbours.

    As in Mask2Former-VIS a reference frame is drawn uniformly and the others come from
    its temporal neighbourhood, in order. Three cases the reference leaves open are
    fixed here:

    * The neighbourhood holds fewer than ``num_frames`` frames (video border, large
      stride): it grows by the nearest unused frames, earlier ones first. A frame is
      therefore never repeated if the video has ``num_frames`` frames.
    * The video is shorter than the clip: every frame is used, and frame i of the clip
      is frame ``i * length // num_frames`` of the video, so repeats are spread evenly
      and stay in order.
    * No instance is visible in the chosen frames: the draw is repeated up to
      ``max_resample`` times; then the reference frame is drawn among the frames with a
      visible instance, if there is one. Clips may hold frames without any object.

    Args:
        num_frames: T, frames of the clip.
        frame_range: Largest distance of a frame to the reference frame, in frames.
        stride: Distances to the reference frame are multiples of this.
        max_resample: Draws repeated for want of a visible instance.
    """

    num_frames: int = 2
    frame_range: int = 20
    stride: int = 1
    max_resample: int = 10

    def __post_init__(self) -> None:
        lowest = dict(num_frames=1, frame_range=0, stride=1, max_resample=0)
        for name, minimum in lowest.items():
            if getattr(self, name) < minimum:
                raise ValueError(
                    f"{name} must be >= {minimum}, got {getattr(self, name)}"
                )

    def __call__(self, visible: np.ndarray, rng: np.random.Generator) -> list[int]:
        """Draw the frames of one clip.

        Args:
            visible: (L,) bool, whether a usable instance is visible in each frame.
            rng: Source of all randomness.

        Returns:
            ``num_frames`` frame numbers in ascending order.
        """
        length = len(visible)
        if length < self.num_frames:
            return [i * length // self.num_frames for i in range(self.num_frames)]
        for _ in range(self.max_resample + 1):
            frames = self._around(int(rng.integers(length)), length, rng)
            if visible[frames].any():
                return frames
        candidates = np.flatnonzero(visible)
        if not len(candidates):
            return frames
        return self._around(int(rng.choice(candidates)), length, rng)

    def _around(self, ref: int, length: int, rng: np.random.Generator) -> list[int]:
        first = ref - min(self.frame_range, ref) // self.stride * self.stride
        last = min(ref + self.frame_range, length - 1)
        near = np.arange(first, last + 1, self.stride)
        near = near[near != ref]
        wanted = self.num_frames - 1
        if len(near) >= wanted:
            others = rng.choice(near, wanted, replace=False)
        else:
            unused = np.setdiff1d(np.arange(length), [*near, ref])
            nearest = np.argsort(np.abs(unused - ref), kind="stable")
            others = np.concatenate([near, unused[nearest[: wanted - len(near)]]])
        return sorted([ref, *others.tolist()])
