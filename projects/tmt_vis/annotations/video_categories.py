"""Which categories of a video are known, where not every object was annotated."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .values import shorten


@dataclass(frozen=True)
class VideoCategories:
    """What a federated data set (LVIS, TAO, BURST) says about one video.

    Its video entries list ``neg_category_ids``, categories verified to be absent, and
    ``not_exhaustive_category_ids``, categories of which some objects were left out.
    About the others, unless the video has tracks of them, nothing is known.

    Args:
        verified_absent: Slots; None if the entry has no such list: then every category
            is known.
        not_exhaustive: Slots.
    """

    verified_absent: frozenset[int] | None = None
    not_exhaustive: frozenset[int] = frozenset()

    @classmethod
    def of(
        cls, video: Mapping[str, Any], slot_of_category: Mapping[int, int]
    ) -> "VideoCategories":
        """Read the lists of a video entry.

        Args:
            video: The entry. Ids that the file's ``categories`` do not have are left
                out: nobody can predict them.
            slot_of_category: Category id in the file -> slot.

        Raises:
            ValueError: If a list is not a list of integers.
        """
        lists = [
            _slots(video.get(key), slot_of_category, key)
            for key in ("neg_category_ids", "not_exhaustive_category_ids")
        ]
        return cls(lists[0], lists[1] or frozenset())

    def known(self, present: Iterable[int]) -> tuple[int, ...] | None:
        """Return the slots that training may use as positives or negatives.

        Args:
            present: Slots of the video's tracks.

        Returns:
            Ascending; None if all are known.
        """
        if self.verified_absent is None:
            return None
        return tuple(sorted(self.verified_absent.union(present)))

    def ignored(self, present: Iterable[int], num_slots: int) -> frozenset[int]:
        """Return the slots whose unmatched tracks are neither right nor wrong.

        As LVIS evaluates: the unknown categories and those annotated in part.

        Args:
            present: Slots of the video's tracks.
            num_slots: Size of the label space.
        """
        known = self.known(present)
        unknown = () if known is None else set(range(num_slots)).difference(known)
        return self.not_exhaustive.union(unknown)


def _slots(
    ids: Any, slot_of_category: Mapping[int, int], key: str
) -> frozenset[int] | None:
    if ids is None:
        return None
    if not isinstance(ids, list) or not all(type(i) is int for i in ids):
        raise ValueError(f"{key} must be a list of category ids, got {shorten(ids)}")
    return frozenset(slot_of_category[i] for i in ids if i in slot_of_category)
