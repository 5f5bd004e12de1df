"""Generate the miniature datasets of one configuration."""

import json
import zlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from .card import describe_classes, readme
from .catalogue import Catalogue, select_classes
from .config import GenerationConfig
from .emoji import EmojiSource
from .layouts import SPLITS
from .shapes import ShapeSource
from .styles import STYLES
from .video import Casting, PatchSource, compose_video
from .writer import SplitWriter

Progress = Callable[[str, int, int], None]  # (dataset and split, done, total)


def _stream(config: GenerationConfig, *path: str | int) -> np.random.Generator:
    """Return the random stream of one video, independent of all others.

    Strings enter by their CRC: ``hash`` changes from process to process.
    """
    words = [zlib.crc32(p.encode()) if isinstance(p, str) else p for p in path]
    return np.random.default_rng([config.seed, *words])


def _first_slot(
    config: GenerationConfig, casting: Casting, split: str, index: int
) -> int:
    """Return the class video `index` is sure to contain: every class in turn."""
    dataset, slots = casting.dataset, casting.slots
    if casting.weights is not None:
        return casting.draw_slot(_stream(config, dataset, split, "first", index))
    lap, place = divmod(index, len(slots))
    order = _stream(config, dataset, split, "order", lap).permutation(len(slots))
    return slots[order[place]]


def _cast_split(
    config: GenerationConfig,
    dataset: str,
    split: str,
    selected: dict[str, list[int]],
    catalogue: Catalogue,
) -> Casting:
    """Decide what a split draws: its own classes, and others' if wanted."""
    slots = selected[dataset]
    weights = None
    if config.tail and split == "train":
        ranks = _stream(config, dataset, "tail").permutation(len(slots)) + 1.0
        weights = ranks**-config.tail / (ranks**-config.tail).sum()
    known = set(catalogue.concepts(dataset))
    foreign = {
        catalogue.concepts(other)[slot]: (other, slot)
        for other in selected
        for slot in selected[other]
        if catalogue.concepts(other)[slot] not in known
        and catalogue.has_meaning(other, slot)
    }
    return Casting(
        dataset=dataset,
        slots=slots,
        weights=weights,
        foreign=tuple(foreign.values()),
        distractors=config.distractors,
    )


def _generate_split(
    config: GenerationConfig,
    casting: Casting,
    split: str,
    *,
    catalogue: Catalogue,
    source: PatchSource,
    out_dir: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Write one split and return its numbers."""
    dataset = casting.dataset
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
            casting,
            STYLES[dataset],
            first_slot=_first_slot(config, casting, split, index),
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
    shapes = ShapeSource(catalogue)
    emoji = config.sprites == "emoji"
    source = EmojiSource(catalogue, fallback=shapes) if emoji else shapes
    card: dict[str, Any] = {
        "arguments": asdict(config),
        "sprites": source.describe(selected),
        "union_classes": len(
            {catalogue.concepts(d)[s] for d in selected for s in selected[d]}
        ),
        "datasets": describe_classes(catalogue, selected),
    }
    for dataset in config.datasets:
        for split in SPLITS:
            card["datasets"][dataset][split] = _generate_split(
                config,
                _cast_split(config, dataset, split, selected, catalogue),
                split,
                catalogue=catalogue,
                source=source,
                out_dir=out_dir,
                progress=progress,
            )
    text = json.dumps(card, indent=2) + "\n"
    (out_dir / "dataset_card.json").write_text(text, encoding="utf-8")
    (out_dir / "README.txt").write_text(readme(card), encoding="utf-8")
    return card
