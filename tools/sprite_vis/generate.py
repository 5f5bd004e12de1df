"""Generate the miniature datasets of one configuration."""

import json
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .catalogue import Catalogue, select_classes
from .emoji import EmojiSource
from .layouts import LAYOUTS, SPLITS
from .shapes import ShapeSource
from .styles import STYLES
from .video import PatchSource, compose_video
from .writer import SplitWriter

LEAST = {
    "seed": 0,
    "videos": 1,
    "val_videos": 1,
    "height": 32,  # below, the smallest sprites have no visible silhouette
    "width": 32,
    "frames": 1,
}
CHOICES = {
    "sprites": ("shapes", "emoji"),
    "counts": ("official", "string", "list"),
}

Progress = Callable[[str, int, int], None]  # (dataset and split, done, total)


@dataclass(frozen=True)
class GenerationConfig:
    """What to generate; everything that decides the bytes except the library."""

    seed: int = 0
    videos: int = 60
    val_videos: int = 12
    height: int = 96
    width: int = 160
    frames: int = 12
    datasets: tuple[str, ...] = ("ytvis19", "ovis", "uvo")
    classes: str = "6"
    sprites: str = "shapes"
    counts: str = "official"

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            if getattr(self, name) < least:
                raise ValueError(
                    f"{name} must be at least {least}, got {getattr(self, name)}"
                )
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name} must be one of {', '.join(choices)}, got "
                    f"{getattr(self, name)!r}"
                )
        unknown = set(self.datasets) - set(LAYOUTS)
        if unknown or len(set(self.datasets)) < max(len(self.datasets), 1):
            raise ValueError(
                f"datasets must be one or more distinct names out of "
                f"{', '.join(LAYOUTS)}, got {list(self.datasets)}"
            )


def _stream(config: GenerationConfig, *path: str | int) -> np.random.Generator:
    """Return the random stream of one video, independent of all others.

    Strings enter by their CRC: ``hash`` changes from process to process.
    """
    words = [zlib.crc32(p.encode()) if isinstance(p, str) else p for p in path]
    return np.random.default_rng([0, *words])


def _first_slot(
    config: GenerationConfig, dataset: str, split: str, index: int, slots: list[int]
) -> int:
    """Return the class video `index` is sure to contain: every class in turn."""
    lap, place = divmod(index, len(slots))
    order = _stream(config, dataset, split, "order", lap).permutation(len(slots))
    return slots[order[place]]


def _generate_split(
    config: GenerationConfig,
    dataset: str,
    split: str,
    *,
    slots: list[int],
    catalogue: Catalogue,
    source: PatchSource,
    out_dir: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Write one split and return its numbers."""
    writer = SplitWriter(
        out_dir=out_dir,
        label_space=catalogue.label_spaces[dataset],
        split=split,
        rng=_stream(config, dataset, split, "names"),
        counts=config.counts,
    )
    total = config.videos if split == "train" else config.val_videos
    for index in range(total):
        video = compose_video(
            dataset,
            STYLES[dataset],
            first_slot=_first_slot(config, dataset, split, index, slots),
            slots=slots,
            source=source,
            hw=(config.height, config.width),
            num_frames=config.frames,
            rng=_stream(config, dataset, split, "video", index),
        )
        writer.add(video)
        progress(f"{dataset} {split}", index + 1, total)
    path = writer.finish()
    areas = [area for a in writer.annotations for area in a["areas"]]
    return {
        "ann_file": path.relative_to(out_dir).as_posix(),
        "image_dir": f"{writer.layout.folder}/{writer.layout.image_dirs[split]}",
        "videos": total,
        "frames": total * config.frames,
        "objects": len(writer.annotations),
        "masks": sum(area is not None for area in areas),
        "null_masks": sum(area is None for area in areas),
    }


def _describe(
    catalogue: Catalogue, selected: dict[str, list[int]]
) -> dict[str, dict[str, Any]]:
    """Return names of the drawn classes per dataset and which others draw them."""
    concepts = {d: {catalogue.concepts(d)[s] for s in selected[d]} for d in selected}
    described = {}
    for dataset, slots in selected.items():
        union = catalogue.concepts(dataset)
        names = {catalogue.slot_name(dataset, s): union[s] for s in slots}
        shared = {
            name: [d for d in selected if d != dataset and concept in concepts[d]]
            for name, concept in names.items()
        }
        described[dataset] = {
            "classes": list(names),
            "shared_with": {name: where for name, where in shared.items() if where},
        }
    return described


def _readme(card: dict[str, Any]) -> str:
    """Return a text that tells what lies in the folder."""
    seed = card["arguments"]["seed"]
    lines = [
        "Miniature video instance segmentation datasets, drawn from moving sprites by",
        f"tools/make_sprite_vis.py with seed {seed}; all arguments are in",
        "dataset_card.json. Folders and files are laid out as in the official",
        "releases, whose category names and ids the annotation files list. No picture",
        "of the real datasets is in here.",
        "",
    ]
    for name, dataset in card["datasets"].items():
        lines.append(f"{name}: draws {', '.join(dataset['classes'])}")
        lines += [
            f"  {split:<6}{dataset[split]['ann_file']}, frames below "
            f"{dataset[split]['image_dir']}"
            for split in SPLITS
        ]
    return "\n".join(lines) + "\n"


def generate(
    config: GenerationConfig, out_dir: Path, *, progress: Progress
) -> dict[str, Any]:
    """Write all datasets of a configuration.

    Args:
        config: what to generate.
        out_dir: folder to write into; must be empty or absent.
        progress: called after every video.

    Returns:
        The card also written to ``dataset_card.json``: arguments, classes, numbers.

    Raises:
        FileExistsError: `out_dir` already holds something.
        ValueError: a class selection that cannot be met.
    """
    if out_dir.exists() and any(out_dir.iterdir()):
        raise FileExistsError(
            f"the output folder must be empty, got {out_dir}; remove it or name "
            "another one, so that no frame of an earlier run is left in it"
        )
    catalogue = Catalogue()
    selected = select_classes(catalogue, config.datasets, config.classes)
    source: PatchSource = ShapeSource(catalogue)
    if config.sprites == "emoji":
        source = EmojiSource(catalogue, fallback=source)
    card: dict[str, Any] = {
        "arguments": asdict(config),
        "sprites": source.describe(selected),
        "union_classes": len(
            {catalogue.concepts(d)[s] for d in selected for s in selected[d]}
        ),
        "datasets": _describe(catalogue, selected),
    }
    for dataset in config.datasets:
        for split in SPLITS:
            card["datasets"][dataset][split] = _generate_split(
                config,
                dataset,
                split,
                slots=selected[dataset],
                catalogue=catalogue,
                source=source,
                out_dir=out_dir,
                progress=progress,
            )
    text = json.dumps(card, indent=2) + "\n"
    (out_dir / "dataset_card.json").write_text(text, encoding="utf-8")
    (out_dir / "README.txt").write_text(_readme(card), encoding="utf-8")
    return card
