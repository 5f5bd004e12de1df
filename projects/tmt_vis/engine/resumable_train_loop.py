"""Resuming at the sample where training stopped."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from mmdet.registry import LOOPS
from mmengine.runner import IterBasedTrainLoop, Runner
from mmengine.runner.loops import _InfiniteDataloaderIterator
from torch import nn
from torch.utils.data import DataLoader


class ResumableSampler(Protocol):
    """A sampler that can start at any training step."""

    def set_start(self, global_step: int) -> None:
        """Continue after `global_step` batches per rank."""


def find_resumable_sampler(dataloader: DataLoader) -> ResumableSampler:
    """Return the sampler of a data loader that knows how to continue.

    Args:
        dataloader: the training data loader.

    Returns:
        Its sampler or batch sampler.

    Raises:
        TypeError: if neither has `set_start`.
    """
    for sampler in (dataloader.sampler, dataloader.batch_sampler):
        if hasattr(sampler, "set_start"):
            return sampler
    raise TypeError(
        "ResumableIterBasedTrainLoop needs a sampler with set_start(global_step), got "
        f"{type(dataloader.sampler).__name__}; use MultiDatasetVideoSampler, or set "
        "train_cfg.type to 'IterBasedTrainLoop', which replays the data on resuming"
    )


def check_batch_size(dataloader: DataLoader) -> None:
    """Compare the batch size of the loader with the one its sampler counts in.

    The sampler deals batches out to the ranks; with another size, ranks would see the
    same clips, and a resumed run would start elsewhere.

    Args:
        dataloader: the training data loader.

    Raises:
        ValueError: if both name a batch size and they differ.
    """
    expected = getattr(dataloader.sampler, "batch_size", dataloader.batch_size)
    if dataloader.batch_size is not None and expected != dataloader.batch_size:
        raise ValueError(
            "train_dataloader.batch_size and train_dataloader.sampler.batch_size must "
            f"be equal, got {dataloader.batch_size} and {expected}; with --cfg-options "
            "set both"
        )


class DataWorkerError(RuntimeError):
    """A process that loads data was killed."""


@contextmanager
def _explained_worker_death(loop: "ResumableIterBasedTrainLoop") -> Iterator[None]:
    """Say what to do when the system kills a data worker.

    torch raises in whatever line the main process is at when the worker dies.
    """
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        workers = loop.dataloader.num_workers
        raise DataWorkerError(
            f"{str(error).strip().rstrip('.')}. This was at iteration {loop.iter + 1}; "
            "checkpoints that are written are complete, and --resume goes on from the "
            "last one. A killed worker usually means that main memory (or /dev/shm) "
            f"ran out: lower train_dataloader.num_workers (now {workers})"
        ) from error


@LOOPS.register_module()
class ResumableIterBasedTrainLoop(IterBasedTrainLoop):
    """Iteration-based training whose data continue where they stopped.

    mmengine's loop fetches and drops one batch for every iteration already done: with
    decoded video clips that takes hours. This one asks the sampler to start there.

    Args:
        runner: the runner.
        dataloader: the training data loader or its config.
        max_iters: iterations in total.
        **kwargs: as for `IterBasedTrainLoop`.

    Raises:
        TypeError: if the sampler cannot start at a given step.
        ValueError: if loader and sampler differ in their batch size.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        max_iters: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(runner, dataloader, max_iters, **kwargs)
        find_resumable_sampler(self.dataloader)  # now, not when a run must be resumed
        check_batch_size(self.dataloader)
        self._dataloader_cfg = dataloader
        self._data_seed = runner.seed

    def run(self) -> nn.Module:
        """Train until `max_iters`.

        Returns:
            The trained model.

        Raises:
            DataWorkerError: if a process that loads data was killed.
        """
        self.runner.call_hook("before_train")
        self.runner.call_hook("before_train_epoch")
        if self._iter > 0:
            self._continue_data()
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            with _explained_worker_death(self):
                self.run_iter(next(self.dataloader_iterator))
            self._decide_current_val_interval()
            if self._is_validation_due():
                self.runner.val_loop.run()
        self.runner.call_hook("after_train_epoch")
        self.runner.call_hook("after_train")
        return self.runner.model

    def _continue_data(self) -> None:
        if self.runner.seed != self._data_seed:
            self._rebuild_dataloader()
        find_resumable_sampler(self.dataloader).set_start(self._iter)
        # The old iterator asked the sampler for its first batches when it was made. It
        # goes first, so that its workers end before the new ones start.
        self.dataloader_iterator = None
        self.dataloader_iterator = _InfiniteDataloaderIterator(self.dataloader)
        self.runner.logger.info(f"data continue after {self._iter} iterations")

    def _rebuild_dataloader(self) -> None:
        """Build the data again under the seed of the checkpoint.

        Without `randomness.seed` in the config every start draws a seed; the loader
        was built with this one before the checkpoint's was known.
        """
        randomness = self.runner.cfg.get("randomness") or {}
        self.dataloader = self.runner.build_dataloader(
            self._dataloader_cfg,
            seed=self.runner.seed,
            diff_rank_seed=randomness.get("diff_rank_seed", False),
        )

    def _is_validation_due(self) -> bool:
        if self.runner.val_loop is None or self._iter < self.val_begin:
            return False
        return self._iter % self.val_interval == 0 or self._iter == self._max_iters
