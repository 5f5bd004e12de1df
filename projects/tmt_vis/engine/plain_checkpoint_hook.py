"""Checkpoints without pickled classes."""

from types import FunctionType
from typing import Any

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from .plain_data import from_plain, to_plain


@HOOKS.register_module()
class PlainCheckpointHook(Hook):
    """Write every checkpoint so that `torch.load(weights_only=True)` reads it.

    mmengine stores the loss history as pickled `HistoryBuffer`s. Since torch 2.6
    loads weights only by default, `mim test` and resuming fail on such a file.
    """

    # Last of all, so that what other hooks add (EMA weights) is converted as well.
    priority = "LOWEST"

    def before_train(self, runner: Runner) -> None:
        """Find values that could not be stored before hours are spent on training."""
        to_plain(runner.message_hub.state_dict(), "message_hub")
        metainfo = getattr(runner.train_dataloader.dataset, "metainfo", None)
        to_plain(metainfo, "meta.dataset_meta")

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Convert the whole checkpoint, in place.

        Args:
            runner: the runner that saves.
            checkpoint: what `Runner.save_checkpoint` collected.

        Raises:
            PlainDataError: names the key of a value that has no plain form.
        """
        for key in checkpoint:
            state = checkpoint[key]
            if key == "param_schedulers":
                state = _without_functions(state)
            checkpoint[key] = to_plain(state, key)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Restore the values `before_save_checkpoint` converted, in place.

        Args:
            runner: the runner that loads.
            checkpoint: content of the file; one from elsewhere is left as it is.
        """
        for key in checkpoint:
            checkpoint[key] = from_plain(checkpoint[key])


def _without_functions(state: Any) -> Any:
    """Drop the functions of scheduler states (OneCycleLR keeps its curve there).

    They are code, not state: the scheduler that loads the rest has its own.
    """
    if isinstance(state, dict):
        return {
            key: _without_functions(value)
            for key, value in state.items()
            if not isinstance(value, FunctionType)
        }
    if isinstance(state, list):
        return [_without_functions(value) for value in state]
    return state
