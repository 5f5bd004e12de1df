"""TMT-VIS: one model, many video-segmentation label spaces.

Importing the package registers every component with mmdet's registries; a config does
so with ``custom_imports = dict(imports=["tmt_vis"])``.
"""

from typing import Any

from tmt_vis import assigners, datasets, engine, evaluation, models, visualization

__version__ = "0.5.0"
__all__ = [
    "VISInferencer",
    "__version__",
    "assigners",
    "datasets",
    "engine",
    "evaluation",
    "models",
    "visualization",
]


def __getattr__(name: str) -> Any:
    """Import the inference package on first use; training never needs it."""
    if name == "VISInferencer":
        from tmt_vis.inference import VISInferencer

        return VISInferencer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
