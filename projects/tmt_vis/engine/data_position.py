"""How much of the data a training run has seen, in clips."""

from collections.abc import Mapping
from typing import Any, Protocol

from mmengine.dist import get_world_size
from mmengine.logging import MessageHub, MMLogger
from torch.utils.data import DataLoader

# Where the position is kept in the message hub, which every checkpoint holds.
_KEY = "data_position"


class ResumableSampler(Protocol):
    """A sampler that can start anywhere in its sequence of clips."""

    def set_position(self, clips: int) -> int:
        """Continue after `clips` clips over all ranks; returns where it does."""


class DataPosition:
    """Clips drawn by all ranks together, noted in the message hub.

    Iterations do not tell: the same number of them is twice the clips with twice the
    processes or the batch.

    Args:
        dataloader: the training data loader.
        message_hub: that of the runner.
    """

    def __init__(self, dataloader: DataLoader, message_hub: MessageHub) -> None:
        sampler = dataloader.sampler
        batch = getattr(sampler, "batch_size", None) or dataloader.batch_size or 1
        self.clips_per_iteration = get_world_size() * batch
        # Names, sizes and ratios: what the sequence of clips follows from.
        self._mixture = getattr(sampler, "mixture", None)
        self._hub = message_hub
        self._start = (0, 0)  # clips, iterations

    def note(self, iterations: int) -> None:
        """Write down the clips drawn when `iterations` are done.

        Args:
            iterations: done in total.
        """
        clips, before = self._start
        clips += (iterations - before) * self.clips_per_iteration
        state = dict(clips=clips, clips_per_iteration=self.clips_per_iteration)
        self._hub.update_info(_KEY, dict(state, mixture=self._mixture))

    def continue_from(self, sampler: ResumableSampler, iterations: int) -> None:
        """Let the data go on where the checkpoint stopped, and say where that is.

        Args:
            sampler: of the training data loader.
            iterations: those of the checkpoint.
        """
        logger = MMLogger.get_current_instance()
        stored: Mapping[str, Any] = self._hub.get_info(_KEY) or {}
        now = self.clips_per_iteration
        drawn = stored.get("clips", iterations * now)
        clips = sampler.set_position(drawn)
        self._start = (clips, iterations)
        then = stored.get("clips_per_iteration")
        said = f"{drawn} clips drawn in {iterations} iterations"
        if then is None:
            said += f", if those were of {now} clips, as now: the checkpoint is of "
            said += "version 0.4.2 or older and does not say"
        elif then != now:
            said += f", {then} per iteration until now and {now} from now on; "
            said += "max_iters and milestones still count iterations"
        logger.info(f"data go on at clip {clips} ({said})")
        before = stored.get("mixture")
        if before is not None and before != self._mixture:
            logger.warning(
                "datasets, their sizes or ratios are not those of the checkpoint: "
                f"{before} then, {self._mixture} now. The new sequence goes on at "
                f"clip {clips}; videos that were drawn already may come again before "
                "all were"
            )
