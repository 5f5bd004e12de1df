"""Resuming at the sample where training stopped."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from mmdet.registry import LOOPS
from mmengine.dist import barrier
from mmengine.hooks import CheckpointHook, EMAHook
from mmengine.runner import IterBasedTrainLoop, Runner
from mmengine.runner.loops import _InfiniteDataloaderIterator
from torch import nn
from torch.utils.data import DataLoader

from tmt_vis.command_line import Terminated

from .data_position import DataPosition, ResumableSampler
from .stop_requests import StopRequest


def find_resumable_sampler(dataloader: DataLoader) -> ResumableSampler:
    """Return the sampler of a data loader that knows how to continue.

    Args:
        dataloader: the training data loader.

    Returns:
        Its sampler or batch sampler.

    Raises:
        TypeError: if neither has `set_position`.
    """
    for sampler in (dataloader.sampler, dataloader.batch_sampler):
        if hasattr(sampler, "set_position"):
            return sampler
    raise TypeError(
        "ResumableIterBasedTrainLoop needs a sampler with set_position(clips), got "
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


def check_count(name: str, value: Any) -> None:
    """Refuse a number of iterations with which nothing would be trained.

    Args:
        name: of the option.
        value: of the option.

    Raises:
        ValueError: if it is no positive integer.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(
            f"train_cfg.{name} must be an integer >= 1, got {value!r}; set it with "
            f"--cfg-options train_cfg.{name}=N"
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
    decoded video clips that takes hours. This one asks the sampler to start there, at
    the clip that comes next whatever the number of processes and the batch size were.

    SIGTERM (Slurm, spot machines) ends training after the iteration at hand, with a
    checkpoint; during a validation at once, likewise.

    Args:
        runner: the runner.
        dataloader: the training data loader or its config.
        max_iters: iterations in total.
        **kwargs: as for `IterBasedTrainLoop`.

    Raises:
        TypeError: if the sampler cannot start at a given step.
        ValueError: if loader and sampler differ in their batch size, or a number of
            iterations is not positive.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        max_iters: int,
        **kwargs: Any,
    ) -> None:
        check_count("max_iters", max_iters)
        check_count("val_interval", kwargs.get("val_interval", 1))
        super().__init__(runner, dataloader, max_iters, **kwargs)
        find_resumable_sampler(self.dataloader)  # now, not when a run must be resumed
        check_batch_size(self.dataloader)
        self._dataloader_cfg = dataloader
        self._data_seed = runner.seed
        self._position = DataPosition(self.dataloader, runner.message_hub)
        self._stop = StopRequest()

    def run(self) -> nn.Module:
        """Train until `max_iters`.

        Returns:
            The trained model.

        Raises:
            DataWorkerError: if a process that loads data was killed.
            Terminated: after SIGTERM, once a checkpoint is written.
        """
        self.runner.call_hook("before_train")
        self.runner.call_hook("before_train_epoch")
        if self._iter > 0:
            self._continue_data()
        if self._iter >= self._max_iters:
            self.runner.logger.warning(
                f"the checkpoint has {self._iter} iterations and max_iters is "
                f"{self._max_iters}: nothing is left to train"
            )
        with self._stop.listening():
            while self._iter < self._max_iters and not self.stop_training:
                self._train_one()
        self.runner.call_hook("after_train_epoch")
        self.runner.call_hook("after_train")
        return self.runner.model

    def _train_one(self) -> None:
        self.runner.model.train()
        # Before the hooks of the iteration, one of which saves.
        self._position.note(self._iter + 1)
        with _explained_worker_death(self):
            self.run_iter(next(self.dataloader_iterator))
        if self._stop.agreed():
            self._save_and_end()
        self._decide_current_val_interval()
        if self._is_validation_due():
            self._validate()

    def _validate(self) -> None:
        """Validate; a signal is answered at once, as nothing of it is saved."""
        self._stop.at_once = True
        try:
            self.runner.val_loop.run()
        except Terminated:
            for hook in self.runner.hooks:
                if isinstance(hook, EMAHook) and hook._ema_started(self.runner):
                    hook._swap_ema_parameters()  # validation was of the averages
            # Ranks are at different clips and cannot wait for each other.
            self._save_and_end()
        finally:
            self._stop.at_once = False

    def _save_and_end(self) -> NoReturn:
        """Write a checkpoint of the iterations done, and end with what to do next."""
        name = f"iteration {self._iter}"
        for hook in self.runner.hooks:
            if isinstance(hook, CheckpointHook):
                meta = dict(epoch=self._epoch, iter=self._iter)
                if not self._is_saved(hook):
                    hook._save_checkpoint_with_step(self.runner, self._iter, meta=meta)
                saved = f"checkpoint written to {hook.last_ckpt}"
                break
        else:
            saved = "no CheckpointHook is configured, so no checkpoint was written"
        if not self._stop.at_once:
            barrier()  # a launcher kills the other ranks when the first one ends
        message = f"ended by {self._stop.received} at {name}: {saved}"
        self.runner.logger.warning(message)
        raise Terminated(message)

    def _is_saved(self, hook: CheckpointHook) -> bool:
        name = hook.filename_tmpl.format(self._iter)
        return Path(hook.last_ckpt or "").name == name

    def _continue_data(self) -> None:
        if self.runner.seed != self._data_seed:
            self._rebuild_dataloader()
        sampler = find_resumable_sampler(self.dataloader)
        self._position.continue_from(sampler, self._iter)
        # The old iterator asked the sampler for its first batches when it was made. It
        # goes first, so that its workers end before the new ones start.
        self.dataloader_iterator = None
        self.dataloader_iterator = _InfiniteDataloaderIterator(self.dataloader)

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
