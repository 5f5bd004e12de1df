"""TMT-VIS: one model, many video-segmentation label spaces.

Importing the package registers every component with mmdet's registries; a config does
so with ``custom_imports = dict(imports=["tmt_vis"])``.
"""

from tmt_vis import assigners, datasets, engine, evaluation, models

__version__ = "0.1.0"
__all__ = ["__version__", "assigners", "datasets", "engine", "evaluation", "models"]
