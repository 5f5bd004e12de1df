"""What becomes of the classifier of a checkpoint that knows no taxonomy."""

from mmengine.logging import MMLogger
from torch import Tensor, nn


def check_foreign_classifier(
    state_dict: dict[str, Tensor], prefix: str, classifier: nn.Module
) -> None:
    """Say what happens to each tensor, and drop those that do not fit.

    mmengine would print a shape mismatch among hundreds of lines, and nothing at all
    about rows of another order.

    Args:
        state_dict: of the checkpoint; tensors of another shape are removed.
        prefix: of the classifier's tensors in it.
        classifier: that will load them.
    """
    for name, own in classifier.state_dict().items():
        key = f"{prefix}{name}"
        theirs = state_dict.get(key)
        if theirs is None:
            continue
        shapes = f"{key} of the checkpoint has shape {tuple(theirs.shape)}"
        if theirs.shape != own.shape:
            state_dict.pop(key)
            outcome = f"the joint taxonomy needs {tuple(own.shape)}: it is not loaded"
        else:
            outcome = (
                "as here, and nothing says which categories its rows are: they are "
                "taken in order (tools/convert_checkpoint.py goes by name)"
            )
        MMLogger.get_current_instance().warning(f"{shapes}, {outcome}")
