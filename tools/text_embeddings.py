"""Make, list and look at the text embeddings of label spaces.

Examples:
    Everything is offline unless --download is given.

    python tools/text_embeddings.py --list
    python tools/text_embeddings.py --label-spaces ytvis19 ovis uvo \
        --encoder open_clip:RN50:openai --checkpoint RN50.pt
    python tools/text_embeddings.py --label-spaces ytvis19 my_animals.json \
        --encoder sentence_transformers:all-MiniLM-L6-v2 --nearest 3
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tmt_vis.command_line import ToolParser, integer, tool
from tmt_vis.taxonomy import (
    DEFAULT_TEMPLATE,
    LabelSpace,
    Taxonomy,
    bundled_names,
)
from tmt_vis.text import (
    TEXT_ENCODERS,
    EmbeddingStore,
    TextEmbeddings,
    TextEncoder,
    build_text_embeddings,
    default_folders,
    default_output,
    encoder_cfg_from_spec,
    make_text_embeddings,
    nearest_categories,
    prompts_of,
)


def add_input_options(parser: argparse.ArgumentParser) -> None:
    """Add what says which prompts to encode, and with what."""
    parser.add_argument(
        "--label-spaces",
        nargs="+",
        metavar="NAME_OR_JSON",
        help=f"bundled ({', '.join(bundled_names())}) or your own .json files",
    )
    parser.add_argument(
        "--encoder",
        default="open_clip:RN50:openai",
        help="open_clip:MODEL:WEIGHTS, sentence_transformers:MODEL or hash:DIM:SEED "
        "(default: %(default)s)",
    )
    parser.add_argument("--checkpoint", help="local weights file or model folder")
    parser.add_argument(
        "--download", action="store_true", help="allow fetching the weights"
    )
    parser.add_argument(
        "--template",
        nargs="+",
        default=[DEFAULT_TEMPLATE],
        help="one template, or several to average (default: %(default)s)",
    )


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add what says where the vectors go and what to print."""
    parser.add_argument(
        "--out", type=Path, help="folder to write to (default: $TMT_VIS_CACHE or data)"
    )
    parser.add_argument("--float32", action="store_true", help="store 4-byte floats")
    parser.add_argument(
        "--force", action="store_true", help="make them even if all are there"
    )
    parser.add_argument(
        "--nearest",
        type=integer(at_least=1),
        nargs="?",
        const=3,
        metavar="N",
        help="print the N (default 3) nearest neighbours of each category",
    )
    parser.add_argument(
        "--list", action="store_true", help="list label spaces and embedding files"
    )


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__)
    add_input_options(parser)
    add_output_options(parser)
    args = parser.parse_args(argv)
    args.argv = sys.argv[1:] if argv is None else argv
    if not args.list and not args.label_spaces:
        parser.error("give --label-spaces, or --list")
    return args


def list_everything(folders: Sequence[Path]) -> None:
    """Print the bundled label spaces and the embedding files found."""
    print("label spaces:")
    for name in bundled_names():
        space = LabelSpace.load(name)
        print(f"  {name:10} {len(space):4} categories  {space.title}")
    print("embedding files:")
    files = [path for folder in folders for path in sorted(folder.glob("*.npz"))]
    for path in files:
        e = TextEmbeddings.load(path)
        print(f"  {path}")
        print(f"    {e.encoder}, {len(e.prompts)} prompts, width {e.dim}")
        print(f"    label spaces: {', '.join(e.label_spaces)}")
        print(f"    templates: {', '.join(map(repr, e.templates))}")
    if not files:
        print(f"  none in {', '.join(map(str, folders))}")


def print_progress(done: int, total: int) -> None:
    """Rewrite one line of progress."""
    print(f"\rencoded {done}/{total} prompts", end="", file=sys.stderr, flush=True)
    if done == total:
        print(file=sys.stderr)


def make_files(
    args: argparse.Namespace, encoder: TextEncoder, folders: Sequence[Path]
) -> None:
    """Encode what is missing and write one file."""
    label_spaces = [LabelSpace.load(item) for item in args.label_spaces]
    prompts = prompts_of(label_spaces, args.template)
    store = EmbeddingStore.in_folders(encoder.identity, folders)
    missing = store.missing(prompts)
    if not missing and not args.force:
        print(f"all {len(prompts)} prompts are there already: {store.files[0]} ...")
        return
    print(f"{len(missing)} of {len(prompts)} prompts are missing; encoding them all")
    words = ["python", "tools/text_embeddings.py", *args.argv]
    embeddings = make_text_embeddings(
        encoder,
        label_spaces,
        args.template,
        command=shlex.join(words),
        progress=print_progress,
    )
    dtype = "float32" if args.float32 else "float16"
    path = embeddings.save(args.out or default_output(), dtype=dtype)
    print(
        f"wrote {path}: {len(embeddings.prompts)} prompts x {embeddings.dim} as "
        f"{dtype}, {path.stat().st_size / 1024:.0f} KiB"
    )


def print_nearest(args: argparse.Namespace, cfg: dict[str, Any]) -> None:
    """Print the union of the label spaces with each category's neighbours."""
    taxonomy = Taxonomy.from_label_spaces(args.label_spaces)
    print(taxonomy.summary())
    embeddings = build_text_embeddings(cfg, taxonomy)
    neighbours = nearest_categories(embeddings, taxonomy.names, k=args.nearest)
    for name, others in neighbours.items():
        listed = ", ".join(f"{other} {cosine:.2f}" for other, cosine in others)
        print(f"  {name:16} {listed}")


@tool
def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    folders = [*default_folders(), *([args.out] if args.out else [])]
    if args.list:
        list_everything(folders)
        return
    options = encoder_cfg_from_spec(args.encoder)
    if options["type"] != "HashTextEncoder":
        options |= dict(checkpoint=args.checkpoint, allow_download=args.download)
    encoder = TEXT_ENCODERS.build(dict(options))
    if encoder.computes_on_the_fly:
        print(f"{encoder.identity} is computed on the fly; it needs no file")
    else:
        make_files(args, encoder, folders)
    if args.nearest is not None:
        template = list(args.template)
        print_nearest(args, dict(encoder=options, template=template, cache_dir=folders))


if __name__ == "__main__":
    sys.exit(main())
