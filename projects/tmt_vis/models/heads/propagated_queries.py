"""What a clip of a video leaves to the next one (GenVIS)."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from tmt_vis.streaming import TrackState

from ..prototype_memory import PrototypeBank
from ..taxonomy import CategoryScores


@dataclass(frozen=True, eq=False)
class PropagatedQueries(TrackState):
    """What a clip leaves to the next one.

    Args:
        bank: of ``tensors``, with space for more entries.
    """

    bank: PrototypeBank = field(default_factory=PrototypeBank)

    @classmethod
    def behind(
        cls,
        stop: int,
        queries: Tensor,
        bank: PrototypeBank,
        scores: CategoryScores | None,
    ) -> "PropagatedQueries":
        """Make the state behind a clip that ends at a frame.

        Args:
            stop: the frame.
            queries: ``(1, Q, C)``, not normed.
            bank: memory of all clips.
            scores: of the categories in all frames so far.
        """
        tensors = dict(queries=queries, keys=bank.keys, values=bank.values)
        if scores is not None:
            tensors |= dict(category_embeddings=scores[0], category_logits=scores[1])
        return cls(stop, tensors, bank=bank)

    @classmethod
    def of(cls, state: TrackState, device: torch.device) -> "PropagatedQueries":
        """Return a state as it was before it was stored."""
        if isinstance(state, cls):
            return state
        tensors = {name: x.to(device) for name, x in state.tensors.items()}
        bank = PrototypeBank.of(tensors["keys"], tensors["values"])
        return cls(state.stop, tensors, bank=bank)

    @property
    def scores(self) -> CategoryScores | None:
        """Return the scores of the categories in all frames so far."""
        if "category_logits" not in self.tensors:
            return None
        names = ("category_embeddings", "category_logits")
        return CategoryScores(*(self.tensors[name] for name in names))
