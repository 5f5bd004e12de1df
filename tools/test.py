"""Evaluate a checkpoint: mmdet's tools/test.py, which also runs on CPUs in parallel.

python tools/test.py CONFIG CHECKPOINT
torchrun --nproc-per-node 8 tools/test.py CONFIG CHECKPOINT --launcher pytorch
"""

import argparse
import sys
from collections.abc import Sequence

from tmt_vis.command_line import ToolParser, tool
from tmt_vis.engine.launch import add_runtime_arguments, build_tester, load_config


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; the interface is that of mmdet."""
    parser = ToolParser(__doc__)
    parser.add_argument("config", help="config file")
    parser.add_argument("checkpoint", help="checkpoint file")
    parser.add_argument(
        "--amp",
        action="store_true",
        help="predict in bfloat16 where that is safe (model.predict_dtype=bfloat16)",
    )
    parser.add_argument(
        "--show-dir",
        help="write videos of the tracks into this folder of WORK_DIR/TIMESTAMP",
    )
    add_runtime_arguments(parser)
    return parser.parse_args(argv)


def test(args: argparse.Namespace) -> dict[str, float]:
    """Test as the command line says; return the metrics."""
    cfg = load_config(args)
    if args.amp:
        cfg.model.predict_dtype = "bfloat16"
    if args.show_dir:
        drawing = dict(draw=True, test_out_dir=args.show_dir)
        cfg.default_hooks.visualization.update(drawing)
    return build_tester(cfg, args.checkpoint).test()


@tool
def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    test(parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
