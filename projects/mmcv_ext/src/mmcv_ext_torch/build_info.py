"""Answers to mmcv's questions about how its extension was compiled."""


def get_compiler_version() -> str:
    """Name this provider where mmcv reports its C++ compiler."""
    return "none (mmcv-ext-torch)"


def get_compiling_cuda_version() -> str:
    """Name this provider where mmcv reports its CUDA compiler."""
    return "none (mmcv-ext-torch)"
