"""Write what a labelling tool held as one native YouTube-VIS file."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tmt_vis.annotations import AnnotationFile
from tmt_vis.annotations.values import shorten
from tmt_vis.datasets import segmentation
from tmt_vis.datasets.annotation_index import AnnotationIndex
from tmt_vis.files import write_atomically
from tmt_vis.taxonomy import LabelSpace, TaxonomyError
from tmt_vis.taxonomy.names import normalise_name

from ..errors import ConversionError
from ..findings import Findings
from .label_space_json import label_space_content
from .source import Source, SourceTrack, SourceVideo


@dataclass(frozen=True)
class Written:
    """What a conversion wrote."""

    videos: int
    frames: int
    instances: int
    masks: int
    label_space: LabelSpace
    label_space_file: Path | None  # None: a given one was used


def write_native(
    source: Source,
    out: Path,
    *,
    name: str,
    label_space: LabelSpace | None = None,
    label_space_file: Path | None = None,
    progress: Callable[[SourceVideo], None] = lambda video: None,
) -> Written:
    """Write the native file of a source, and its label space.

    Ids count from 1. The result is read back with the reader that training uses.

    Args:
        source: The opened source.
        out: The annotation file.
        name: Name of the label space, if a new one is written.
        label_space: An existing one: its ids are used and every category must be in it.
        label_space_file: Where to write a new one; default: ``label_space.json``
            beside ``out``.
        progress: Called after each video.

    Raises:
        ConversionError: If the source contradicts itself or holds nothing.
    """
    builder = _Builder(source.findings)
    for video in source.videos:
        builder.add(video)
        progress(video)
    builder.refuse_useless(source)
    given = label_space is not None
    space_file = label_space_file or out.with_name("label_space.json")
    if label_space is None:
        names = source.categories or sorted(builder.names.values())
        content = label_space_content(name, names)
        label_space = content.label_space
        space_json = content.json
    file_content = builder.content(label_space)
    write_atomically(out, json.dumps(file_content, separators=(",", ":")).encode())
    if not given:
        write_atomically(space_file, space_json.encode())
    index = AnnotationIndex(
        AnnotationFile(str(out), label_space), num_slots=len(label_space)
    )
    return Written(
        videos=len(index),
        frames=len(index.visible),
        instances=len(builder.annotations),
        masks=builder.num_masks,
        label_space=label_space,
        label_space_file=None if given else space_file,
    )


class _Builder:
    """Collects entries; category ids are known at the end only."""

    def __init__(self, findings: Findings) -> None:
        self.videos: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        self.names: dict[str, str] = {}  # normalised -> first spelling
        self.num_masks = 0
        self._first: dict[str, str] = {}  # normalised -> who is called that
        self._findings = findings

    def refuse_useless(self, source: Source) -> None:
        """Refuse a result that nothing can be trained on.

        Raises:
            ConversionError: If there is no object, or only crowd regions.
        """
        if not self.videos:
            raise ConversionError("no video was found")
        if not self.annotations:
            met = [f"{kind}: {n}" for kind, n in self._findings.counts.items()]
            raise ConversionError(
                f"no object was found in {len(self.videos)} videos"
                + (f" ({'; '.join(met)})" if met else "; are these their annotations?")
            )
        if all(entry["iscrowd"] for entry in self.annotations):
            raise ConversionError(
                f"all {len(self.annotations)} objects are crowd regions, which are "
                "never trained on; give objects a track id, and leave out --crowd if "
                "iscrowd only says how masks are stored, as in files of CVAT"
            )
        if source.categories is None:
            return
        known = set(map(normalise_name, source.categories))
        for key, spelling in self.names.items():
            if key not in known:
                raise ConversionError(
                    f"{self._first[key]} is {shorten(spelling)}, which the source's "
                    f"own list of labels lacks: {shorten(list(source.categories))}"
                )

    def add(self, video: SourceVideo) -> None:
        entry = {
            "id": len(self.videos) + 1,
            "name": video.name,
            "height": video.height,
            "width": video.width,
            "length": len(video.file_names),
            "file_names": list(video.file_names),
        }
        self.videos.append(entry)
        for track in video.tracks:
            self._add_track(track, entry)

    def _add_track(self, track: SourceTrack, video: dict[str, Any]) -> None:
        size = dict(height=video["height"], width=video["width"])
        masks = _checked_masks(track, size, video["name"], self._findings)
        if not masks:
            self._findings.add("objects without a pixel, left out", track.label)
            return
        key = normalise_name(track.category)
        spelling = self.names.setdefault(key, track.category)
        self._first.setdefault(key, f"{track.label} of video {video['name']!r}")
        if spelling != track.category:
            what = "categories in another spelling"
            self._findings.add(what, f"{track.category!r} taken for {spelling!r}")
        frames = range(video["length"])
        counts = [masks[t][0] for t in masks]
        corners = segmentation.boxes(counts, **size).tolist()
        boxes = {
            t: [x0, y0, x1 - x0, y1 - y0]
            for t, (x0, y0, x1, y1) in zip(masks, corners, strict=True)
        }
        self.num_masks += len(masks)
        self.annotations.append(
            {
                "id": len(self.annotations) + 1,
                "video_id": video["id"],
                "category_id": key,  # replaced in `content`
                **_kept_id(track),
                "iscrowd": int(track.is_crowd),
                **size,
                "length": video["length"],
                "segmentations": [
                    {"size": list(size.values()), "counts": masks[t][0].decode()}
                    if t in masks
                    else None
                    for t in frames
                ],
                "bboxes": [boxes.get(t) for t in frames],
                "areas": [masks[t][1] if t in masks else None for t in frames],
            }
        )

    def content(self, space: LabelSpace) -> dict[str, Any]:
        """Return the file, with the ids of a label space."""
        ids = {}
        for key, spelling in self.names.items():
            try:
                ids[key] = space.source_of_slot(space.slot_of_name(spelling))
            except TaxonomyError as error:
                raise ConversionError(
                    f"{error}; add the category or an alias to the label space, or "
                    "write a new one"
                ) from error
        annotations = [
            {**entry, "category_id": ids[entry["category_id"]]}
            for entry in self.annotations
        ]
        categories = [{"id": c.source_id, "name": c.name} for c in space.categories]
        return {
            "info": {"description": "converted to the YouTube-VIS format"},
            "videos": self.videos,
            "categories": categories,
            "annotations": annotations,
        }


def _kept_id(track: SourceTrack) -> dict[str, int | str]:
    number = track.track_id
    if number is None:
        return {}
    return {"track_id": int(number) if number.isdecimal() else number}


def _checked_masks(
    track: SourceTrack, size: dict[str, int], video: str, findings: Findings
) -> dict[int, tuple[bytes, int]]:
    """Return frame -> (counts, area) of the frames with pixels."""
    frames = sorted(track.masks)
    try:
        areas = segmentation.checked_areas([track.masks[t] for t in frames], **size)
    except ValueError as error:
        raise ConversionError(f"{track.label} of video {video!r}: {error}") from error
    _refuse_broken(frames, areas.tolist(), track.label, video)
    found = {}
    for frame, area in zip(frames, areas.tolist(), strict=True):
        if area:
            found[frame] = (track.masks[frame], area)
        else:
            findings.add("masks without a pixel", f"{track.label}, frame {frame}")
    return found


def _refuse_broken(
    frames: Sequence[int], areas: Sequence[int], label: str, video: str
) -> None:
    broken = [t for t, area in zip(frames, areas, strict=True) if area < 0]
    if broken:
        raise ConversionError(
            f"{label} of video {video!r}, frame {broken[0]}: the run lengths do not "
            "fill the frame; export the annotations again"
        )
