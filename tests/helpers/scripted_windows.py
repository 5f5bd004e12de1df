"""Window predictions with a known truth, in place of a model's.

An untrained model finds nothing meaningful, so linking is tested on objects that move
and look as a script says.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from tmt_vis.inference import Window, WindowPlan, WindowPrediction
from tmt_vis.structures import TubeRLE

HEIGHT, WIDTH = 24, 40
NUM_SLOTS = 4


@dataclass(frozen=True)
class Actor:
    """An object: what its queries look like, and where it is when.

    Args:
        look: Seed of its embedding.
        row: Top of its 6 x 6 box; the column moves with the frame number.
        on_stage: Ranges of frames in which it is visible.
        slot: Its category.
        confidence: Probability of its category.
        speed: Columns per frame.
    """

    look: int
    row: int
    on_stage: Sequence[range]
    slot: int = 0
    confidence: float = 0.9
    speed: float = 0.5

    def visible(self, frame: int) -> bool:
        return any(frame in stage for stage in self.on_stage)

    def masks(self, frames: Iterable[int]) -> np.ndarray:
        """Return (T, H, W) bool."""
        frames = list(frames)
        masks = np.zeros((len(frames), HEIGHT, WIDTH), dtype=bool)
        for mask, frame in zip(masks, frames, strict=True):
            if self.visible(frame):
                column = int(self.speed * frame) % (WIDTH - 6)
                mask[self.row : self.row + 6, column : column + 6] = True
        return masks

    def tube(self, num_frames: int) -> TubeRLE:
        """Return the true tube over a whole video."""
        return TubeRLE.from_masks(self.masks(range(num_frames)))

    def probs(self) -> np.ndarray:
        rest = (1 - self.confidence) / (NUM_SLOTS - 1)
        probs = np.full(NUM_SLOTS, rest, dtype=np.float32)
        probs[self.slot] = self.confidence
        return probs

    def embedding(self, rng: np.random.Generator, noise: float) -> np.ndarray:
        """Return 16 numbers: the look, seen with some noise."""
        look = np.random.default_rng(self.look).normal(size=16)
        return (look + noise * rng.normal(size=16)).astype(np.float32)


@dataclass
class Play:
    """Actors, seen window by window, in another order each time."""

    actors: Sequence[Actor]
    num_frames: int
    plan: WindowPlan
    noise: float = 0.3
    seed: int = 0
    casts: list[list[int]] = field(default_factory=list)

    def windows(self) -> Iterator[Window]:
        stops = [n for n in range(1, self.num_frames) if self.plan.ends_at(n)]
        for previous, stop in pairwise([0, *stops, self.num_frames]):
            yield self.plan.window(stop, previous)

    def predictions(self) -> Iterator[WindowPrediction]:
        """Yield what a perfect model would say; ``casts`` tells who is in which row."""
        rng = np.random.default_rng(self.seed)
        for window in self.windows():
            frames = range(window.start, window.stop)
            here = [i for i, a in enumerate(self.actors) if any(map(a.visible, frames))]
            cast = [int(i) for i in rng.permutation(here)]
            self.casts.append(cast)
            seen = [self.actors[i] for i in cast]
            looks = [actor.embedding(rng, self.noise) for actor in seen]
            yield WindowPrediction(
                window=window,
                embeddings=np.array(looks, np.float32).reshape(len(seen), 16),
                slot_probs=np.array([a.probs() for a in seen], np.float32).reshape(
                    len(seen), NUM_SLOTS
                ),
                tubes=tuple(TubeRLE.from_masks(a.masks(frames)) for a in seen),
            )
