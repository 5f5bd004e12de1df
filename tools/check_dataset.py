"""Check a dataset before hours of training: all problems, its numbers, a look at it.

    python tools/check_dataset.py --ann data/ranch/train.json \\
        --img-prefix data/ranch/frames --label-space data/ranch/label_space.json \\
        --sheet sheet.html

Errors are what training and evaluation refuse or replace by other clips; warnings are
what they accept. Every kind is counted, with its first five places. The exit status is
1 with errors, 0 otherwise. Without --img-prefix or --data-root, frames are not looked
at. The numbers are those of the paper's Table 8, and how they spread.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from tmt_vis.command_line import ToolParser, integer, tool
from tmt_vis.dataset_tools.checking import (
    CheckReport,
    Part,
    check_dataset,
    statistics_lines,
)
from tmt_vis.datasets import segmentation
from tmt_vis.datasets.frame_files import locate_frame
from tmt_vis.files import write_atomically
from tmt_vis.progress import progress_bar
from tmt_vis.taxonomy import LabelSpace
from tmt_vis.visualization import (
    HtmlVideo,
    SheetVideo,
    TrackLabel,
    contact_sheet,
    is_own_picture,
    thumbnail,
    write_html_sheet,
    write_image,
)

CELL_WIDTH, COLUMNS = 320, 4
VIDEOS_PER_PAGE = 8  # of a PNG, which is then about 1600 pixels high


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__, outputs=("json", "sheet"))
    add = parser.add_argument
    add("--ann", type=Path, required=True, help="native annotation file")
    add("--img-prefix", type=Path, help="folder that file_names are relative to")
    add(
        "--data-root",
        type=Path,
        help="as in a config: --ann and --img-prefix are relative to it",
    )
    add(
        "--label-space",
        help="bundled name or file; default: the categories of the file themselves",
    )
    add(
        "--decode",
        action="store_true",
        help="decode every frame (finds truncated files) instead of reading its size",
    )
    add(
        "--sheet",
        type=Path,
        help="draw videos with their masks: *.html to browse, or *.png (several pages "
        "where one is not enough)",
    )
    add(
        "--sheet-videos",
        type=integer(at_least=1),
        default=60,
        metavar="N",
        help="at most so many, chosen so that every category is there (%(default)s)",
    )
    add("--json", type=Path, metavar="FILE", help="write the whole report as JSON")
    return parser.parse_args(argv)


class Gallery:
    """Choose videos for the sheet: every category some times, then any.

    Args:
        limit: Videos kept.
        per_category: A video is preferred while one of its categories has fewer.
    """

    def __init__(self, limit: int, *, per_category: int = 3) -> None:
        self._limit = limit
        self._per_category = per_category
        self._shown: Counter[int] = Counter()
        self._preferred: list[Part] = []
        self._others: list[Part] = []

    @property
    def parts(self) -> list[Part]:
        """The chosen videos, in file order as far as the choice allows."""
        return (self._preferred + self._others)[: self._limit]

    def offer(self, part: Part) -> None:
        """Take a video if it shows something that is rare so far, or there is room."""
        slots = np.flatnonzero(part.index.instances_per_slot).tolist()
        is_rare = any(self._shown[slot] < self._per_category for slot in slots)
        chosen = self._preferred if is_rare else self._others
        if len(chosen) < self._limit:
            self._shown.update(slots)
            chosen.append(part)


class DrawnFrames(Sequence):
    """The frames of a video with their masks, each drawn when it is asked for."""

    def __init__(
        self, part: Part, root: Path | None, names: Sequence[str], bar: tqdm
    ) -> None:
        self._part, self._root, self._names, self._bar = part, root, names, bar

    def __len__(self) -> int:
        return self._part.video.length

    def __getitem__(self, t: int) -> np.ndarray:
        video, record = self._part.video, self._part.index.frame(0, t)
        size = dict(height=video.height, width=video.width)
        counts = [instance.counts for instance in record.instances]
        masks = segmentation.decode(counts, **size)
        labels = [
            TrackLabel(
                instance.source_id,
                "crowd" if instance.is_ignored else self._names[instance.slot],
            )
            for instance in record.instances
        ]
        image = self._read(record.file_name)
        self._bar.update()
        return thumbnail(image, masks.astype(bool), labels, width=CELL_WIDTH)

    def _read(self, file_name: str) -> np.ndarray:
        """Return the frame, or grey: its problem is in the report."""
        video = self._part.video
        shape = (video.height, video.width, 3)
        image = None
        if self._root is not None:
            image = cv2.imread(locate_frame(self._root, file_name))
        if image is None or image.shape != shape:
            return np.full(shape, 128, np.uint8)
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def write_sheet(
    path: Path, gallery: Gallery, root: Path | None, report: CheckReport, title: str
) -> list[Path]:
    """Write the page or pages; return their paths."""
    with progress_bar(desc="sheet", unit="frame") as bar:
        videos = [_sheet_video(part, root, report, bar) for part in gallery.parts]
        if path.suffix == ".html":
            text = "\n".join(report_lines(report))
            options = dict(columns=COLUMNS, cell_width=CELL_WIDTH)
            write_html_sheet(path, videos, title=title, text=text, **options)
            return [path]
        return _write_pages(path, [video.sheet for video in videos])


def _sheet_video(
    part: Part, root: Path | None, report: CheckReport, bar: tqdm
) -> HtmlVideo:
    video, names = part.video, report.label_space.names
    slots = np.flatnonzero(part.index.instances_per_slot).tolist()
    shown = tuple(names[slot] for slot in slots)
    strips = {"annotation": DrawnFrames(part, root, names, bar)}
    size = f"{video.length} frames, {video.height}x{video.width}"
    note = f"id {video.video_id}, {size}: {', '.join(shown) or 'no object'}"
    return HtmlVideo(SheetVideo(", ".join(shown), video.name, strips), shown, note)


def _write_pages(path: Path, sheets: list[SheetVideo]) -> list[Path]:
    starts = range(0, len(sheets), VIDEOS_PER_PAGE)
    paths = [path]
    if len(starts) > 1:
        names = [f"{path.stem}-{n}{path.suffix}" for n in range(1, len(starts) + 1)]
        paths = [path.with_name(name) for name in names]
        for page in paths:  # names that nobody gave
            if page.exists() and not is_own_picture(page):
                raise FileExistsError(
                    f"{page} is no sheet of this tool and would be replaced; name "
                    "another --sheet"
                )
    for start, target in zip(starts, paths, strict=True):
        page = sheets[start : start + VIDEOS_PER_PAGE]
        image = contact_sheet(page, columns=COLUMNS, cell_width=CELL_WIDTH)
        write_image(target, image)
    return paths


def report_lines(report: CheckReport) -> list[str]:
    """Return the report as text."""
    lines = []
    for title, findings in (("errors", report.errors), ("warnings", report.warnings)):
        lines.append(f"{title}: {findings.counts.total() or 'none'}")
        lines += [f"  {line}" for line in findings.lines()]
    return [*lines, "", *statistics_lines(report.statistics.summary())]


def check(args: argparse.Namespace) -> CheckReport:
    """Check and draw as the command line says."""
    root = args.img_prefix or args.data_root
    ann = args.ann
    if args.data_root is not None:
        root = args.data_root / (args.img_prefix or "")
        ann = args.data_root / args.ann
    if root is not None and not root.is_dir():
        raise FileNotFoundError(f"the folder of the frames does not exist: {root}")
    if args.sheet is not None and args.sheet.suffix not in (".html", ".png"):
        raise ValueError(f"--sheet must be a .html or .png file, got {args.sheet}")
    for out in filter(None, (args.sheet, args.json)):
        if out.resolve() == ann.resolve():  # behind --data-root, too
            raise ValueError(f"{out} is the annotation file; name a new file")
    space = LabelSpace.load(args.label_space) if args.label_space else None
    gallery = Gallery(args.sheet_videos if args.sheet else 0)
    with progress_bar(desc="check", unit="video") as bar:

        def start(num_videos: int) -> None:
            bar.total = num_videos

        def done(part: Part) -> None:
            gallery.offer(part)
            bar.update()

        report = check_dataset(
            ann,
            label_space=space,
            image_root=root,
            decode=args.decode,
            on_start=start,
            on_video=done,
        )
    print("\n".join(report_lines(report)))
    if root is None:
        print("frames: not looked at (give --img-prefix or --data-root)")
    if args.json is not None:
        write_atomically(args.json, json.dumps(report.to_dict(), indent=1).encode())
    if args.sheet is not None and gallery.parts:
        paths = write_sheet(args.sheet, gallery, root, report, str(ann))
        print(f"{len(gallery.parts)} videos drawn: {', '.join(map(str, paths))}")
    return report


@tool
def main(argv: Sequence[str] | None = None) -> int:
    """Check as the command line says; return the exit status."""
    report = check(parse_args(argv))
    return 1 if report.errors.counts else 0


if __name__ == "__main__":
    sys.exit(main())
