"""Where benchmarks of GPUs run."""

from collections.abc import Callable

import torch

from .common import Options, Skipped, Spec


def device_of(spec: Spec, options: Options) -> str:
    """Return the device, by default the one the benchmark is for.

    Raises:
        Skipped: without a GPU, unless ``--device cpu`` asks for a try on the CPU.
    """
    device = options.device or spec.device
    if device == "cuda" and not torch.cuda.is_available():
        raise Skipped("needs a CUDA device; --quick --device cpu shows that it runs")
    return device


def wait_for(device: str) -> Callable[[], None]:
    """Return what waits until the device is done."""
    return torch.cuda.synchronize if device == "cuda" else lambda: None
