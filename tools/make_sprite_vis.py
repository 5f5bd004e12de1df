"""Write miniature YouTube-VIS, OVIS and UVO datasets drawn from moving sprites.

The folders, file names and annotation files follow the official releases, with their
category names and ids, so everything that reads the real datasets reads these.

Example:
    python tools/make_sprite_vis.py --out data/sprites --seed 0
"""

import argparse
import sys
from pathlib import Path
from typing import Any, NoReturn

import cv2
from sprite_vis import GenerationConfig, generate
from sprite_vis.config import CHOICES
from sprite_vis.contact_sheet import write_contact_sheet
from sprite_vis.layouts import LAYOUTS


class _Parser(argparse.ArgumentParser):
    """Errors are one line, as those of the tools that import tmt_vis (8 s)."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {' '.join(message.split())} (--help lists the options)\n")


def _parse_size(text: str) -> tuple[int, int]:
    height, _, width = text.lower().partition("x")
    if not (height.isdigit() and width.isdigit()):
        raise argparse.ArgumentTypeError(
            f"must be HEIGHTxWIDTH in pixels, got {text!r}; for example 96x160"
        )
    return int(height), int(width)


def _parse_picture(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() != ".png" or path.exists():
        raise argparse.ArgumentTypeError(f"must be a new .png file, got {text!r}")
    return path


def _parse_args() -> argparse.Namespace:
    defaults = GenerationConfig()
    parser = _Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="empty or new folder")
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument(
        "--datasets", nargs="+", default=list(defaults.datasets), choices=list(LAYOUTS)
    )
    parser.add_argument("--videos", type=int, default=defaults.videos, metavar="N")
    parser.add_argument(
        "--val-videos", type=int, default=defaults.val_videos, metavar="M"
    )
    parser.add_argument(
        "--size",
        type=_parse_size,
        default=(defaults.height, defaults.width),
        metavar="HxW",
        help="height and width in pixels",
    )
    parser.add_argument("--frames", type=int, default=defaults.frames, metavar="T")
    parser.add_argument(
        "--classes",
        default=defaults.classes,
        help="classes drawn per dataset: a count, 'all', or comma-separated names",
    )
    parser.add_argument("--sprites", choices=CHOICES["sprites"], default="shapes")
    parser.add_argument(
        "--counts",
        choices=CHOICES["counts"],
        default=defaults.counts,
        help="run lengths in the annotation files: compressed or plain",
    )
    parser.add_argument(
        "--tail",
        type=float,
        default=defaults.tail,
        metavar="S",
        help="rare classes in training: weight rank^-S (0: all alike)",
    )
    parser.add_argument(
        "--distractors",
        type=float,
        default=defaults.distractors,
        metavar="X",
        help="mean number of objects per video whose category the dataset does not "
        "have and therefore does not annotate",
    )
    parser.add_argument(
        "--contact-sheet",
        type=_parse_picture,
        metavar="PNG",
        help="also write a picture of sample frames with their masks, a new file",
    )
    return parser.parse_args()


def _show_progress(what: str, done: int, total: int) -> None:
    """Keep one line per split up to date; without a terminal, print it at the end."""
    line = f"{what:<14} {done:>5}/{total} videos"
    if sys.stderr.isatty():
        print(f"\r{line}", end="\n" if done == total else "", file=sys.stderr)
    elif done == total:
        print(line, file=sys.stderr)


def _print_summary(card: dict[str, Any]) -> None:
    layout = "{:<9}{:<7}" + "{:>10}" * 8
    head = "dataset split videos frames objects obj/video masks unseen classes shared"
    print(layout.format(*head.split()))
    for name, dataset in card["datasets"].items():
        for split in ("train", "val"):
            numbers = dataset[split]
            row = (
                name,
                split,
                numbers["videos"],
                numbers["frames"],
                numbers["objects"],
                round(numbers["objects"] / numbers["videos"], 1),
                numbers["masks"],
                numbers["null_masks"],
                len(dataset["classes"]),
                len(dataset["shared_with"]),
            )
            print(layout.format(*row))
    for name, dataset in card["datasets"].items():
        marks = [
            f"{c}*" if c in dataset["shared_with"] else c for c in dataset["classes"]
        ]
        print(f"{name}: {', '.join(marks)}")
    print(f"* also drawn in another dataset; {card['union_classes']} classes in all")
    if card["sprites"]["source"] == "emoji":
        shapes = card["sprites"]["drawn_as_shapes"]
        print(
            f"{card['sprites']['drawn_as_emoji']} classes drawn as emoji, "
            f"{len(shapes)} as shapes: {', '.join(shapes) or '-'}"
        )


def main() -> None:
    """Parse the arguments, generate, and print what was written."""
    args = _parse_args()
    cv2.setNumThreads(1)  # pictures of this size are slower on several
    try:
        config = GenerationConfig(
            seed=args.seed,
            videos=args.videos,
            val_videos=args.val_videos,
            height=args.size[0],
            width=args.size[1],
            frames=args.frames,
            datasets=tuple(args.datasets),
            classes=args.classes,
            sprites=args.sprites,
            counts=args.counts,
            tail=args.tail,
            distractors=args.distractors,
        )
        card = generate(config, args.out, progress=_show_progress)
        if args.contact_sheet:
            write_contact_sheet(args.out, args.contact_sheet)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {' '.join(str(error).split())}")
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        sys.exit(130)
    _print_summary(card)


if __name__ == "__main__":
    main()
