"""Which frames of a video make a training clip."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

FRAME_ORDERS = ("sorted", "reversed", "shuffled")


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
        frame_order: ``sorted``, ``reversed``, ``shuffled``, or the probability of each
            as in ``dict(sorted=0.5, reversed=0.5)``.
        sampling_frame_ratio: Share of a video's frames that may be drawn, as MinVIS
            (arXiv:2208.02245) trains on 1, 5 and 10 % of the annotated frames. See
            :meth:`usable_frames`; distances then count usable frames.
        max_resample: Draws repeated for want of a visible instance.
    """

    num_frames: int = 2
    frame_range: int = 20
    stride: int = 1
    frame_order: str | Mapping[str, float] = "sorted"
    sampling_frame_ratio: float = 1.0
    max_resample: int = 10

    def __post_init__(self) -> None:
        lowest = dict(num_frames=1, frame_range=0, stride=1, max_resample=0)
        for name, minimum in lowest.items():
            if getattr(self, name) < minimum:
                raise ValueError(
                    f"{name} must be >= {minimum}, got {getattr(self, name)}"
                )
        if not 0 < self.sampling_frame_ratio <= 1:
            raise ValueError(
                "sampling_frame_ratio must be in (0, 1], got "
                f"{self.sampling_frame_ratio}; 1 uses every frame"
            )
        _check_order(self._order_probabilities)

    @property
    def _order_probabilities(self) -> Mapping[str, float]:
        order = self.frame_order
        return {order: 1.0} if isinstance(order, str) else order

    def usable_frames(self, length: int) -> np.ndarray:
        """Return the frames of a video that clips are made of.

        They are the same in every clip: n = max(1, round(ratio * length)) frames at
        equal distances from frame 0 on, or the middle frame if n is 1.

        Args:
            length: Frames of the video.

        Returns:
            (n,) int64, ascending.
        """
        kept = max(1, round(self.sampling_frame_ratio * length))
        if kept == 1:
            return np.array([length // 2])
        return np.arange(kept) * length // kept

    def __call__(self, visible: np.ndarray, rng: np.random.Generator) -> list[int]:
        """Draw the frames of one clip.

        Args:
            visible: (L,) bool, whether a usable instance is visible in each frame.
            rng: Source of all randomness.

        Returns:
            ``num_frames`` frame numbers in the order of ``frame_order``.
        """
        usable = self.usable_frames(len(visible))
        return self._reorder(usable[self._draw(visible[usable], rng)].tolist(), rng)

    def _draw(self, visible: np.ndarray, rng: np.random.Generator) -> list[int]:
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

    def _reorder(self, frames: list[int], rng: np.random.Generator) -> list[int]:
        names, probabilities = zip(*self._order_probabilities.items(), strict=True)
        # Drawn only where there is a choice: "sorted" keeps the clips of a seed.
        order = names[0] if len(names) == 1 else rng.choice(names, p=probabilities)
        if order == "reversed":
            return frames[::-1]
        return rng.permutation(frames).tolist() if order == "shuffled" else frames


def _check_order(probabilities: Mapping[str, float]) -> None:
    unknown = sorted(set(probabilities) - set(FRAME_ORDERS))
    values = list(probabilities.values())
    if unknown or min(values, default=-1) < 0 or abs(sum(values) - 1) > 1e-6:
        raise ValueError(
            f"frame_order must be one of {FRAME_ORDERS} or probabilities of them that "
            f"sum to 1, got {dict(probabilities)}"
        )
