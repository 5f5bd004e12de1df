"""Serve a page on which models can be tried in a browser.

    python tools/web.py                                         (or: make web)
    python tools/web.py --model NAME --config CONFIG --checkpoint CKPT

Upload a video or take the sample, choose a label space or type words, and correct and
download what is found. Without a model, the demo's is offered, which ships. Several
models: repeat --model, or --config and --checkpoint. The page is for this machine only
unless --host says otherwise; nothing is sent elsewhere.
"""

import argparse
import importlib.util
import sys
from collections.abc import Sequence

from tmt_vis.command_line import ToolParser, integer, tool
from tmt_vis.model_zoo import open_model
from tmt_vis.progress import show_download
from tmt_vis.taxonomy import data_root

SHIPPED_MODEL = "tmt-vis_r18-tiny_sprites"


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__)
    add = parser.add_argument
    add(
        "--model",
        action="append",
        default=[],
        metavar="NAME",
        help="a released model (tmt-vis infer --list-models); may be repeated",
    )
    add(
        "--accept-license",
        action="store_true",
        help="accept the licence of a released model's weights; remembered",
    )
    add("--config", action="append", default=[], help="of a model; may be repeated")
    add("--checkpoint", action="append", default=[], help="its weights, as often")
    add("--device", help="default: the GPU if there is one")
    add("--host", default="127.0.0.1", help="address to listen at (%(default)s)")
    add(
        "--port",
        type=integer(at_least=0, at_most=65535),
        default=7860,
        help="0 takes a free one (default: %(default)s)",
    )
    number = integer(at_least=1)
    add("--max-mb", type=number, default=200, help="of an upload (%(default)s)")
    add("--max-frames", type=number, default=600, help="of a video (%(default)s)")
    add(
        "--max-side",
        type=number,
        default=1920,
        help="pixels of the longer side of a frame (%(default)s)",
    )
    add(
        "--jobs",
        type=number,
        default=2,
        help="videos predicted at the same time; others wait (%(default)s)",
    )
    return parser.parse_args(argv)


@tool
def main(argv: Sequence[str] | None = None) -> None:
    """Serve the page until it is interrupted."""
    args = parse_args(argv)
    if importlib.util.find_spec("gradio") is None:
        raise ImportError(
            "the page needs Gradio; pip install -r requirements/web.txt, or "
            'pip install "tmt-vis[web]"'
        )
    from tmt_vis.web import Limits, ModelShelf, choices_of
    from tmt_vis.web.server import serve

    names = args.model
    if not (names or args.config or args.checkpoint):
        names = [SHIPPED_MODEL]
    named = [
        open_model(
            name,
            accept_license=args.accept_license,
            progress=show_download(),
            say=print,
        )
        for name in dict.fromkeys(names)
    ]
    choices = choices_of(args.config, args.checkpoint, named)
    serve(
        ModelShelf(choices, device=args.device),
        host=args.host,
        port=args.port,
        limits=Limits(
            upload_mb=args.max_mb,
            frames=args.max_frames,
            side=args.max_side,
            jobs=args.jobs,
        ),
        sample=data_root() / "samples" / "sprites.mp4",
    )


if __name__ == "__main__":
    sys.exit(main())
