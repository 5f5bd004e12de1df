"""Where a model runs."""

import torch

from .errors import InferenceError


def default_device() -> torch.device:
    """Return the GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def usable_device(device: torch.device | str | None) -> torch.device:
    """Check that there is such a device, before minutes of loading.

    Args:
        device: As in ``torch.device``; None takes :func:`default_device`.

    Raises:
        InferenceError: If there is no such device here.
    """
    if device is None:
        return default_device()
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise InferenceError(
            f"a device is 'cpu', 'cuda' or 'cuda:N', got {device!r}; leave it out to "
            "take the GPU if there is one"
        ) from error
    if chosen.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (chosen.index or 0) >= count:
            found = f"{count} GPU{'s' * (count > 1)}" if count else "no GPU"
            raise InferenceError(
                f"device {str(chosen)!r} is not there: PyTorch finds {found}; leave it "
                "out, or take 'cpu'"
            )
    return chosen


def device_kind(device: torch.device) -> str:
    """Name what computes, whichever of its kind it is: all give the same bits."""
    if device.type != "cuda":
        return device.type
    return f"cuda {torch.cuda.get_device_name(device)}"
