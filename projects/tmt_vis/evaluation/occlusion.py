"""How occluded an object is: the groups of OVIS.

Qi et al., "Occluded Video Instance Segmentation: Dataset and ICCV 2021 Challenge",
NeurIPS Datasets and Benchmarks 2021, and the evaluator published with it
(github.com/qjy981010/cocoapi, ``oviseval.py``).
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

LEVELS: Mapping[str, float] = MappingProxyType(
    {"no_occlusion": 0.0, "slight_occlusion": 0.25, "severe_occlusion": 0.75}
)


def occlusion_score(levels: Sequence[str | None] | None) -> float:
    """Average the more occluded half of the frames.

    Args:
        levels: One name per frame, None where the object is absent; None = unknown.

    Returns:
        0 to 0.75, NaN if no frame has a level.

    Raises:
        ValueError: If this is not a list of the three names.
    """
    levels = [] if levels is None else levels
    if not isinstance(levels, list) or any(
        level is not None and (type(level) is not str or level not in LEVELS)
        for level in levels
    ):
        raise ValueError(
            f"occlusion must list one of {', '.join(LEVELS)} or null per frame, got "
            f"{str(levels):.60}"
        )
    scores = sorted(LEVELS[level] for level in levels if level is not None)
    upper = scores[-math.ceil(len(scores) / 2) :]
    return sum(upper) / len(upper) if upper else math.nan
