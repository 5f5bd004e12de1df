"""Find, segment and track objects in videos of any length.

    python tools/infer.py holiday.mp4 --config C.py --checkpoint P.pth \
        --label-space ovis --out-video holiday_tracks.mp4 --out-json tracks.json

INPUT is a video file, a folder or pattern of frames, an image, or the number of a
camera. Several images are the frames of one video; several videos are predicted one
after the other. An interrupted run goes on with --resume.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from mmengine.config import DictAction
from tmt_vis.engine import UnsafeCheckpointError
from tmt_vis.inference import (
    FrameSource,
    InferenceError,
    OutputPlan,
    RecordedSource,
    VideoOutputs,
    VideoResult,
    VideoTask,
    VISInferencer,
    WindowPlan,
    group_inputs,
    write_json,
    write_masks,
    write_rendering,
)
from tmt_vis.models import CheckpointTaxonomyError
from tqdm import tqdm

_EXPECTED = (ValueError, OSError, CheckpointTaxonomyError, UnsafeCheckpointError)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("inputs", nargs="+", metavar="INPUT")
    parser.add_argument("--config", required=True)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--device", help="default: the GPU if there is one")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--label-space", help="default: the first one of the model")
    what.add_argument(
        "--vocabulary", help="names, e.g. 'dog,person,red bus', or a label-space file"
    )
    parser.add_argument("--score-thr", type=float, default=0.3)
    parser.add_argument("--max-objects", type=int, help="objects kept per window")
    parser.add_argument(
        "--several-categories",
        action="store_true",
        help="report every category of an object that is good enough, as benchmarks "
        "expect (with --score-thr 0)",
    )
    parser.add_argument("--window", type=int, default=36, help="frames per window")
    parser.add_argument("--overlap", type=int, default=6, help="shared by two windows")
    parser.add_argument("--max-frames", type=int, help="needed for a camera")
    parser.add_argument("--fps", type=float, help="of frames that are no video file")
    parser.add_argument("--out-video", type=Path, help="*.mp4, *.gif or a folder")
    parser.add_argument("--out-json", type=Path, help="YouTube-VIS results and names")
    parser.add_argument("--out-masks", type=Path, help="folder of index images")
    parser.add_argument("--overwrite", action="store_true", help="replace old outputs")
    parser.add_argument("--resume", action="store_true", help="of an interrupted run")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction)
    return parser.parse_args(argv)
