"""The operators this provider does not have."""

from typing import Any, NoReturn


class UnavailableOp:
    """Stand in for an operator until it is called, then say what to do.

    Args:
        name: name of the operator in `mmcv._ext`.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(
            f"mmcv operator '{self.name}' needs a compiled mmcv, but this environment "
            "has mmcv-ext-torch, which provides ms_deform_attn, nms (greedy), "
            "roi_align (average) and sigmoid_focal_loss only. Replace mmcv-lite by a "
            "compiled mmcv of the same version (a compiled extension is preferred "
            "automatically), or choose a model that does not use this operator."
        )

    def __repr__(self) -> str:
        return f"UnavailableOp({self.name!r})"
