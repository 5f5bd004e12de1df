"""Which categories of a video are known, where not every object was annotated."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tmt_vis.taxonomy import Category, LabelSpace, TaxonomyError
from tmt_vis.taxonomy.annotation_categories import id_and_name


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


def file_label_space(rows: Sequence[Any], path: str) -> LabelSpace:
    """Take the categories of a file as its label space.

    Nothing is matched by name then, so names only have to be told apart.

    Args:
        rows: ``categories`` of the file.
        path: Of the file, for messages.

    Raises:
        TaxonomyError: If there are none, or one has no id or no name.
    """
    pairs = [id_and_name(row) for row in rows]
    categories = tuple(Category(source_id, name) for source_id, name in pairs)
    return LabelSpace("file", f"categories of {path}", categories, matched_by="id")


def match_file_categories(data: Mapping[str, Any], space: LabelSpace) -> dict[int, int]:
    """Match the categories of a file with a label space.

    Args:
        data: Tables of :func:`read_annotations`. BURST may list all categories of TAO;
            those that no track has and the label space does not know are left out.
        space: The label space.

    Returns:
        Slot of each category id of the file.

    Raises:
        TaxonomyError: If a category is unknown or the list is malformed.
    """
    rows, unused = data["categories"], data.get("unused_category_ids", ())
    if unused:
        rows = [r for r in rows if id_and_name(r)[0] not in unused or _has(space, r)]
    return space.check_categories(rows)


def _has(space: LabelSpace, row: Mapping[str, Any]) -> bool:
    try:
        space.slot_of_name(row["name"])
    except TaxonomyError:
        return False
    return True


def _slots(
    ids: Any, slot_of_category: Mapping[int, int], key: str
) -> frozenset[int] | None:
    if ids is None:
        return None
    if not isinstance(ids, list) or not all(type(i) is int for i in ids):
        raise ValueError(f"{key} must be a list of category ids, got {str(ids)[:60]}")
    return frozenset(slot_of_category[i] for i in ids if i in slot_of_category)
