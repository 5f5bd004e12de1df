"""Groups of objects that get an AP of their own, by size and by occlusion."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

Range = tuple[float, float]


class ObjectGroup(NamedTuple):
    """A group; its limits belong to it.

    Args:
        name: Suffix of its AP: ``APs``, ``APso``.
        area: Least and greatest mean area in pixels. An unmatched track outside of it
            is not wrong, because it may belong to an object of another group.
        occlusion: Least and greatest occlusion. Tracks have none, so an unmatched one
            is wrong in every group. None means any, also unknown.
    """

    name: str
    area: Range
    occlusion: Range | None = None


def object_groups(
    area_ranges: Mapping[str, Range], occlusion_ranges: Mapping[str, Range]
) -> tuple[ObjectGroup, ...]:
    """List the groups; the first area range, which holds everything, comes first."""
    groups = [ObjectGroup(name, area) for name, area in area_ranges.items()]
    groups += [
        ObjectGroup(name, groups[0].area, occlusion)
        for name, occlusion in occlusion_ranges.items()
    ]
    return tuple(groups)


def has_size(groups: Sequence[ObjectGroup], areas: np.ndarray) -> np.ndarray:
    """Return (A, N) bool: tube n has the size of group a."""
    return _inside(areas, (group.area for group in groups))


def is_member(
    groups: Sequence[ObjectGroup], areas: np.ndarray, occlusion: np.ndarray
) -> np.ndarray:
    """Return (A, N) bool: object n belongs to group a.

    Args:
        groups: A groups.
        areas: (N,) mean area of each object.
        occlusion: (N,) float64, NaN = unknown.
    """
    # A file that says nothing about an object leaves it out of the occlusion groups
    # only: NaN is in no range.
    occlusion_ranges = [group.occlusion or (np.nan, np.nan) for group in groups]
    any_occlusion = np.array([group.occlusion is None for group in groups])
    right = _inside(occlusion, occlusion_ranges) | any_occlusion[:, None]
    return has_size(groups, areas) & right


def _inside(values: np.ndarray, ranges: Iterable[Range]) -> np.ndarray:
    limits = np.array(list(ranges), dtype=np.float64)
    return (values >= limits[:, :1]) & (values <= limits[:, 1:])
