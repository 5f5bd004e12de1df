"""No test of a model that is half random."""

from collections.abc import Mapping
from typing import Any

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor, nn

from tmt_vis.checkpoints import (
    UnknownArchitectureError,
    common_prefix,
    find_layout,
)

# Buffers that a model computes from its sizes; some converters leave them out.
_COMPUTED = (".relative_position_index",)


class IncompleteWeightsError(ValueError):
    """A checkpoint does not hold what the model of the config needs."""


def load_complete_weights(
    model: nn.Module, weights: Mapping[str, Tensor], *, source: str
) -> None:
    """Load weights into a model, and refuse those of another model.

    Args:
        model: the model.
        weights: name -> tensor.
        source: where they are from, for messages.

    Raises:
        IncompleteWeightsError: if weights are missing or of another shape.
        CheckpointTaxonomyError: if they were trained on other label spaces.
    """
    try:
        keys = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        if type(error) is not RuntimeError:  # says more than torch does about shapes
            raise
        raise IncompleteWeightsError(
            f"{source} does not fit the config's model ({error}); use the config "
            "the checkpoint was trained with"
        ) from error
    missing = [key for key in keys.missing_keys if not key.endswith(_COMPUTED)]
    if missing:
        raise IncompleteWeightsError(
            f"{source} lacks {len(missing)} of the "
            f"{len(model.state_dict())} tensors of the config's model, e.g. "
            f"{missing[0]}; they would be random. {_remedy(list(weights), missing)}"
        )
    if keys.unexpected_keys:
        MMLogger.get_current_instance().warning(
            f"{source} holds {len(keys.unexpected_keys)} tensors that the config's "
            f"model does not have, e.g. {keys.unexpected_keys[0]}; is it its config?"
        )


def _remedy(names: list[str], missing: list[str]) -> str:
    """Tell a foreign way of naming from a model of another kind."""
    prefix = common_prefix(names, missing)
    if prefix:
        return f"Its names start with {prefix!r}: save the weights without it"
    try:
        layout = find_layout(names)
    except UnknownArchitectureError:
        return "Use the config the checkpoint was trained with"
    return (
        f"It has the names of {layout.title}: convert it with "
        "tools/convert_checkpoint.py"
    )


@HOOKS.register_module()
class CompleteWeightsHook(Hook):
    """End a test whose checkpoint is that of another model.

    mmengine lists what is missing as a warning among others and goes on with random
    weights: right for a warm start, never for a test. ``tools/test.py`` adds it.
    """

    priority = "VERY_LOW"  # after PlainCheckpointHook has restored the values

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Check the weights before mmengine loads them.

        Args:
            runner: the runner that tests.
            checkpoint: content of the file.

        Raises:
            IncompleteWeightsError: if weights are missing or of another shape.
        """
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        weights = checkpoint.get("state_dict", checkpoint)
        load_complete_weights(model, weights, source=str(runner._load_from))
