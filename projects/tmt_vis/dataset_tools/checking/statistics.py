"""The numbers of a dataset: those of the paper's Table 8, and their spread."""

from collections import Counter, defaultdict
from typing import Any

import numpy as np

from tmt_vis.datasets import segmentation
from tmt_vis.printing import printable
from tmt_vis.taxonomy import LabelSpace

from .annotation_splitter import Part

_POINTS = ("min", "q25", "median", "q75", "max")


class DatasetStatistics:
    """Count videos, objects and masks, one video at a time.

    Crowd regions and objects without a pixel are counted apart and are in no other
    number, as in training.

    Args:
        label_space: Label space of the dataset.
    """

    def __init__(self, label_space: LabelSpace) -> None:
        self._names = label_space.names
        self._lengths: list[int] = []
        self._sizes: Counter[tuple[int, int]] = Counter()
        self._per_video: list[int] = []
        self._frames_shown: list[int] = []
        self._areas: list[float] = []
        self._table: dict[int, Counter[str]] = defaultdict(Counter)
        self.crowd = 0
        self.empty = 0

    def add(self, part: Part) -> None:
        """Count one video."""
        video, index = part.video, part.index
        self._lengths.append(video.length)
        self._sizes[(video.height, video.width)] += 1
        self.crowd += index.counts["ignored"]
        self.empty += index.counts["empty"]
        shown: Counter[int] = Counter()
        pixels: Counter[int] = Counter()
        slots: dict[int, int] = {}
        size = dict(height=video.height, width=video.width)
        for t in range(video.length):
            objects = [i for i in index.frame(0, t).instances if not i.is_ignored]
            areas = segmentation.checked_areas([i.counts for i in objects], **size)
            for instance, area in zip(objects, areas.tolist(), strict=True):
                slots[instance.source_id] = instance.slot
                shown[instance.source_id] += 1
                pixels[instance.source_id] += area
        self._per_video.append(len(slots))
        for source_id, slot in slots.items():
            self._frames_shown.append(shown[source_id])
            mean = pixels[source_id] / shown[source_id]
            self._areas.append(mean / (video.height * video.width))
            self._table[slot]["objects"] += 1
            self._table[slot]["masks"] += shown[source_id]
        for slot in set(slots.values()):
            self._table[slot]["videos"] += 1

    @property
    def instances(self) -> int:
        """Objects counted so far."""
        return len(self._areas)

    def summary(self) -> dict[str, Any]:
        """Return all numbers as plain JSON data.

        ``table8`` has the rows of Table 8 of the paper; its masks per frame and objects
        per video are means over all frames and all videos of the file.
        """
        videos, frames = len(self._lengths), sum(self._lengths)
        objects, masks = len(self._areas), sum(self._frames_shown)
        return {
            "table8": {
                "videos": videos,
                "categories": len(self._names),
                "instances": objects,
                "masks": masks,
                "masks_per_frame": masks / frames if frames else None,
                "objects_per_video": objects / videos if videos else None,
            },
            "frames": frames,
            "categories_with_objects": len(self._table),
            "videos_without_objects": self._per_video.count(0),
            "crowd_regions": self.crowd,
            "objects_without_a_pixel": self.empty,
            "frames_per_video": _spread(self._lengths),
            "objects_in_a_video": _spread(self._per_video),
            "frames_an_object_is_seen": _spread(self._frames_shown),
            "object_area_of_frame": _spread(self._areas),
            "frame_sizes": {
                f"{height}x{width}": count
                for (height, width), count in self._sizes.most_common()
            },
            "categories": [
                {"name": name}
                | {k: self._table[slot][k] for k in ("videos", "objects", "masks")}
                if slot in self._table
                else {"name": name, "videos": 0, "objects": 0, "masks": 0}
                for slot, name in enumerate(self._names)
            ],
        }


def _spread(values: list[float]) -> dict[str, float] | None:
    """Return minimum, quartiles and maximum; None of nothing."""
    if not values:
        return None
    points = np.percentile(values, [0, 25, 50, 75, 100]).tolist()
    return dict(zip(_POINTS, points, strict=True))


def statistics_lines(summary: dict[str, Any], *, max_sizes: int = 5) -> list[str]:
    """Print a summary: Table 8, spreads, sizes, and a row per category."""
    table = summary["table8"]
    lines = [
        f"{'Videos':<20}{table['videos']:>10}",
        f"{'Categories':<20}{table['categories']:>10}"
        f"   {summary['categories_with_objects']} with objects",
        f"{'Instances':<20}{table['instances']:>10}"
        f"   besides {summary['crowd_regions']} crowd regions and "
        f"{summary['objects_without_a_pixel']} objects without a pixel",
        f"{'Masks':<20}{table['masks']:>10}",
        f"{'Masks per frame':<20}{_short(table['masks_per_frame']):>10}"
        f"   {summary['frames']} frames",
        f"{'Objects per video':<20}{_short(table['objects_per_video']):>10}"
        f"   {summary['videos_without_objects']} videos without",
        "",
        f"{'':<26}" + "".join(f"{point:>9}" for point in _POINTS),
    ]
    rows = {
        "frames of a video": ("frames_per_video", 1),
        "objects of a video": ("objects_in_a_video", 1),
        "frames an object is seen": ("frames_an_object_is_seen", 1),
        "object, % of the frame": ("object_area_of_frame", 100),
    }
    for title, (key, scale) in rows.items():
        spread = summary[key] or {}
        cells = "".join(f"{_short(v * scale):>9}" for v in spread.values())
        lines.append(f"{title:<26}{cells}")
    sizes = list(summary["frame_sizes"].items())
    listed = ", ".join(f"{size} ({count})" for size, count in sizes[:max_sizes])
    more = f" and {len(sizes) - max_sizes} more" if len(sizes) > max_sizes else ""
    lines += ["", f"height x width (videos): {listed}{more}", ""]
    categories = [
        row | {"name": printable(row["name"])} for row in summary["categories"]
    ]
    width = max([len(c["name"]) for c in categories] + [8]) + 2
    lines.append(f"{'category':<{width}}{'videos':>8}{'objects':>9}{'masks':>9}")
    for row in sorted(categories, key=lambda r: -r["objects"]):
        if row["objects"]:
            lines.append(
                f"{row['name']:<{width}}{row['videos']:>8}{row['objects']:>9}"
                f"{row['masks']:>9}"
            )
    unused = [row["name"] for row in categories if not row["objects"]]
    if unused:
        lines.append(f"without objects ({len(unused)}): {', '.join(unused)}")
    return lines


def _short(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value == round(value) else f"{value:.1f}"
