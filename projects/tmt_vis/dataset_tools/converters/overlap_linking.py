"""Follow shapes without an identity by how much they overlap."""

from pycocotools import mask as coco_mask
from scipy.optimize import linear_sum_assignment

MIN_IOU = 0.3


class OverlapLinker:
    """Number shapes frame by frame, for one video.

    Args:
        height: Of the frames, in pixels.
        width: The same.
    """

    def __init__(self, height: int, width: int) -> None:
        self._size = [height, width]
        self._seen: list[tuple[str, int, bytes]] = []  # of the frame before
        self._offered: list[tuple[str, bytes, str]] = []
        self._next = 0

    def offer(self, key: str, counts: bytes, label: str) -> None:
        """Take up a shape of the current frame.

        Args:
            key: Only shapes of one key can be one object.
            counts: Its mask.
            label: Returned with its number.
        """
        self._offered.append((key, counts, label))

    def link(self) -> list[tuple[str, int, bytes]]:
        """End the frame: the assignment with the largest sum of IoUs.

        Returns:
            Label, number of the object and mask of each shape that was offered.
        """
        numbers = self._matched()
        linked, self._seen = [], []
        for at, (key, counts, label) in enumerate(self._offered):
            if at not in numbers:
                numbers[at] = self._next
                self._next += 1
            linked.append((label, numbers[at], counts))
            self._seen.append((key, numbers[at], counts))
        self._offered = []
        return linked

    def _matched(self) -> dict[int, int]:
        if not self._offered or not self._seen:
            return {}
        new = [dict(size=self._size, counts=counts) for _, counts, _ in self._offered]
        old = [dict(size=self._size, counts=counts) for _, _, counts in self._seen]
        ious = coco_mask.iou(new, old, [0] * len(old))
        for row, (key, _, _) in enumerate(self._offered):
            for column, (other, _, _) in enumerate(self._seen):
                if key != other or ious[row, column] < MIN_IOU:
                    ious[row, column] = 0
        rows, columns = linear_sum_assignment(ious, maximize=True)
        pairs = zip(rows.tolist(), columns.tolist(), strict=True)
        return {r: self._seen[c][1] for r, c in pairs if ious[r, c] > 0}
