"""What a generated folder says about itself."""

from typing import Any

from .catalogue import Catalogue
from .layouts import SPLITS


def describe_classes(
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


def readme(card: dict[str, Any]) -> str:
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
