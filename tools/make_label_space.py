r"""Make a label-space file from the categories of an annotation file.

    python tools/make_label_space.py data/ranch/train.json --name ranch \
        --out data/ranch/label_space.json
    python tools/make_label_space.py lvvis.json --name mylvvis --out mylvvis.json \
        --partition-field partition --partition 0=base 1=base 2=novel 3=novel
    python tools/make_label_space.py train.json --name mine --out mine.json \
        --partition-list novel=novel.txt --partition-list base=base.txt

The annotation file may be of YouTube-VIS, OVIS, UVO, LV-VIS, COCO (all have a list
"categories" with "id" and "name") or BURST. Ids and names are taken as they are, in the
order of the file. Links to other data sets and prompts are then yours to add; what the
fields mean is in data/README.md. AP is reported per partition as well.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tmt_vis.annotations import read_annotations
from tmt_vis.annotations.values import shorten
from tmt_vis.command_line import ToolParser, tool
from tmt_vis.files import replacing
from tmt_vis.printing import printable
from tmt_vis.taxonomy import LabelSpace, bundled_names
from tmt_vis.taxonomy.label_space_writer import format_label_space
from tmt_vis.taxonomy.names import nearest_names, normalise_name


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__, outputs=("out",))
    parser.add_argument("ann", metavar="ANN", help="annotation file")
    parser.add_argument(
        "--name",
        required=True,
        help="name of the label space: lower-case letters, digits, '_', '-', '.'",
    )
    parser.add_argument("--out", required=True, type=Path, help="file to write")
    parser.add_argument("--title", help="name for people (default: NAME)")
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    parser.add_argument(
        "--link-by-name",
        nargs="*",
        metavar="SPACE",
        help="share rows with categories of equal name in these label spaces; without "
        f"SPACE: in all bundled ones ({', '.join(bundled_names())})",
    )
    parser.add_argument(
        "--partition-field",
        metavar="FIELD",
        help="field of each category that says its partition, e.g. partition",
    )
    parser.add_argument(
        "--partition",
        nargs="+",
        default=[],
        metavar="VALUE=NAME",
        help="name of each value of --partition-field (default: the value itself)",
    )
    parser.add_argument(
        "--partition-list",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="partition NAME: the categories that FILE names, one per line; may be "
        "repeated",
    )
    args = parser.parse_args(argv)
    if args.partition and not args.partition_field:
        parser.error("--partition needs --partition-field")
    if args.partition_field and args.partition_list:
        parser.error("give --partition-field or --partition-list, not both")
    return args


def categories_of(path: str) -> list[Mapping[str, Any]]:
    """Return the categories of an annotation file.

    Raises:
        ValueError: If it has none, or one without id or name.
    """
    rows = read_annotations(path).get("categories")
    if not isinstance(rows, list) or not rows:
        raise ValueError(f"{path}: has no list 'categories'; give an annotation file")
    for position, row in enumerate(rows):
        fields = row if isinstance(row, Mapping) else {}
        types = (type(fields.get("id")), type(fields.get("name")))
        if types != (int, str):
            raise ValueError(
                f"{path}: categories[{position}] needs an integer id and a name, got "
                f"{shorten(row)}"
            )
    return rows


def split_pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """Split KEY=VALUE texts.

    Raises:
        ValueError: If one has no '='.
    """
    for text in texts:
        if "=" not in text:
            raise ValueError(f"{option} needs KEY=VALUE, got {text!r}")
    return dict(text.split("=", 1) for text in texts)


def partitions_by_field(
    rows: Sequence[Mapping[str, Any]], field: str, names: Mapping[str, str]
) -> list[str]:
    """Return the partition of each category, read from one of its fields.

    Raises:
        ValueError: If a category lacks the field, or a value has no name.
    """
    parts = []
    for row in rows:
        if field not in row:
            raise ValueError(
                f"category {row['name']!r} has no field {field!r}, only {sorted(row)}"
            )
        value = str(row[field])
        if names and value not in names:
            raise ValueError(
                f"category {row['name']!r} has {field}={value}, which --partition does "
                f"not name (it names {sorted(names)}); add {value}=NAME"
            )
        parts.append(names.get(value, value))
    return parts


def partitions_by_list(
    rows: Sequence[Mapping[str, Any]], files: Mapping[str, str]
) -> list[str | None]:
    """Return the partition of each category, read from lists of names.

    Raises:
        ValueError: If a name is unknown or in two lists.
    """
    known = {normalise_name(row["name"]): None for row in rows}
    part_of: dict[str, str] = {}
    for part, path in files.items():
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
        for name in filter(None, map(str.strip, lines)):
            key = normalise_name(name)
            if key not in known:
                hint = nearest_names(name, [row["name"] for row in rows])
                raise ValueError(f"{path}: no category is called {name!r} ({hint})")
            if part_of.setdefault(key, part) != part:
                raise ValueError(
                    f"{path}: {name!r} is in the partitions {part_of[key]!r} and "
                    f"{part!r}; keep it in one"
                )
    return [part_of.get(normalise_name(row["name"])) for row in rows]


def content_of(args: argparse.Namespace) -> dict[str, Any]:
    """Build what the label-space file holds."""
    rows = categories_of(args.ann)
    parts: Sequence[str | None] = [None] * len(rows)
    if args.partition_field:
        names = split_pairs(args.partition, "--partition")
        parts = partitions_by_field(rows, args.partition_field, names)
    elif args.partition_list:
        parts = partitions_by_list(
            rows, split_pairs(args.partition_list, "--partition-list")
        )
    categories = [
        dict(source_id=row["id"], name=row["name"])
        | ({} if part is None else dict(partition=part))
        for row, part in zip(rows, parts, strict=True)
    ]
    content: dict[str, Any] = dict(name=args.name, title=args.title or args.name)
    if args.link_by_name is not None:
        content["link_by_name"] = args.link_by_name or True
    return dict(content, categories=categories)


def write(args: argparse.Namespace) -> LabelSpace:
    """Write the file and read it back.

    Raises:
        ValueError: If the name is taken, the file exists, or a rule is broken.
    """
    if args.name in bundled_names():
        raise ValueError(
            f"the name {args.name!r} belongs to a bundled label space; choose another"
        )
    if args.out.suffix != ".json":
        raise ValueError(f"--out must end in .json, got {args.out}")
    if args.out.exists() and not args.force:
        raise ValueError(f"{args.out} exists; give another --out, or --force")
    text = format_label_space(content_of(args), origin=args.ann)
    with replacing(args.out) as draft:
        draft.write_text(text, encoding="utf-8")
        return LabelSpace.load(draft)


@tool
def main(argv: Sequence[str] | None = None) -> None:
    """Write the label space and say what is in it."""
    args = parse_args(argv)
    space = write(args)
    sizes = Counter({part: len(slots) for part, slots in space.partitions.items()})
    parts = ", ".join(f"{printable(part)} {size}" for part, size in sizes.items())
    print(f"{args.out}: {len(space)} categories" + (f" ({parts})" if parts else ""))


if __name__ == "__main__":
    sys.exit(main())
