"""Saving that never costs the checkpoint one already has."""

from typing import Any

from mmdet.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.fileio.backends import BaseStorageBackend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from tmt_vis.files import write_atomically


class DeferredRemovals:
    """A storage backend that collects removals until they are flushed.

    Args:
        backend: the backend that does everything else, and the removing in the end.
    """

    def __init__(self, backend: BaseStorageBackend) -> None:
        self._backend = backend
        self._outdated: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, filepath: str) -> None:
        """Mark a file as outdated."""
        self._outdated.append(filepath)

    def flush(self) -> None:
        """Remove the marked files that are still there."""
        while self._outdated:
            filepath = self._outdated.pop()
            if self._backend.isfile(filepath):
                self._backend.remove(filepath)


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """mmengine's `CheckpointHook` that survives a full disk and a kill at any moment.

    mmengine deletes the outdated checkpoint before it writes the new one, and writes
    in place: with `max_keep_ckpts=1` a full disk leaves no checkpoint at all, and a
    kill leaves half a file that `last_checkpoint` names. Here files are replaced as a
    whole, and outdated ones go last; the disk needs room for one checkpoint more.

    Args:
        *args: as for `CheckpointHook`.
        backend_args: storage of the checkpoints; by default local files, replaced
            atomically. Give it if `out_dir` is not a local folder.
        **kwargs: as for `CheckpointHook`.
    """

    def __init__(
        self, *args: Any, backend_args: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        backend_args = backend_args or {"backend": "atomic_local"}
        super().__init__(*args, backend_args=backend_args, **kwargs)

    def before_train(self, runner: Runner) -> None:
        """Resolve the folder and the backend, as the parent does.

        Args:
            runner: the runner that trains.
        """
        super().before_train(runner)
        self.file_backend = DeferredRemovals(self.file_backend)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        self._retire_oldest(runner, step)
        filename = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, filename)
        runner.message_hub.update_info("last_ckpt", self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            filename,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            pointer = f"{runner.work_dir}/last_checkpoint"
            write_atomically(pointer, self.last_ckpt.encode())
            self.file_backend.flush()

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        super()._save_best_checkpoint(runner, metrics)
        self.file_backend.flush()

    def _retire_oldest(self, runner: Runner, step: int) -> None:
        """Make room among the kept steps; the file goes once the new one is there."""
        if self.max_keep_ckpts <= 0:
            return
        kept = self.keep_ckpt_ids
        if kept and kept[-1] == step:  # saved again after a better validation
            return
        if len(kept) == self.max_keep_ckpts:
            oldest = self.filename_tmpl.format(kept.popleft())
            if is_main_process():
                self.file_backend.remove(
                    self.file_backend.join_path(self.out_dir, oldest)
                )
        kept.append(step)
        runner.message_hub.update_info("keep_ckpt_ids", list(kept))
