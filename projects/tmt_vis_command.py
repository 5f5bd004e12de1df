"""The command ``tmt-vis``: every tool, also where there is no checkout.

    tmt-vis infer holiday.mp4 --config CONFIG --checkpoint CKPT --out-video tracks.mp4
    tmt-vis COMMAND --help

A module of its own: importing ``tmt_vis`` needs all of mmdet, and ``tmt-vis doctor``
has to say what is missing when that fails.
"""

import importlib.util
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

# Command -> script below tools/, and what it does.
COMMANDS = {
    "infer": ("infer.py", "track objects in videos"),
    "merge": ("merge_results.py", "make one file of the results of many videos"),
    "web": ("web.py", "try models in a browser"),
    "extract-frames": ("extract_frames.py", "cut videos into frames"),
    "export": ("export_tracks.py", "turn tracks into annotations to correct"),
    "convert": ("convert_dataset.py", "turn annotations into the YouTube-VIS format"),
    "check": ("check_dataset.py", "find all problems of a dataset"),
    "split": ("split_dataset.py", "hold out videos of a dataset"),
    "label-space": ("make_label_space.py", "make a label space from annotations"),
    "text-embeddings": ("text_embeddings.py", "make vectors of category names"),
    "train": ("train.py", "train a config"),
    "test": ("test.py", "test a checkpoint"),
    "evaluate": ("evaluate.py", "evaluate result files"),
    "convert-checkpoint": (
        "convert_checkpoint.py",
        "convert weights of other projects",
    ),
    "reproduce": ("reproduce.py", "compare released weights with published numbers"),
    "publish": ("publish_checkpoint.py", "make a checkpoint fit for release"),
    "doctor": ("doctor.py", "say what is wrong with this environment"),
}
_HERE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """Find a file or folder of the repository, in a checkout or an installation.

    Args:
        name: ``configs``, ``tools`` or ``model-index.yml``, or a path below.

    Raises:
        FileNotFoundError: If it is in neither.
    """
    places = [_HERE / "tmt_vis" / ".mim" / name, _HERE.parent / name]
    for place in places:
        if place.exists():
            return place
    raise FileNotFoundError(
        f"{name} is neither in {places[0]} nor in {places[1]}; install tmt-vis from a "
        "wheel or from a whole checkout"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print(_help())
        return 0
    if words[0] in ("-V", "--version"):
        print(version("tmt-vis"))
        return 0
    if words[0] not in COMMANDS:
        known = ", ".join(COMMANDS)
        print(
            f"error: {words[0]!r} is no command of tmt-vis; choose one of {known}",
            file=sys.stderr,
        )
        return 2
    script = shipped("tools") / COMMANDS[words[0]][0]
    # What argparse calls the program, and where the script finds its neighbours.
    sys.argv[0] = f"tmt-vis {words[0]}"
    # At the end: tools/test.py would hide the standard library's `test`.
    sys.path.append(str(script.parent))
    return _load(script).main(words[1:]) or 0


def _load(script: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tmt_vis_tool_{script.stem}", script)
    module = importlib.util.module_from_spec(spec)
    # Worker processes unpickle what the module defines.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _help() -> str:
    rows = [f"  {name:<20}{what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(
        ["usage: tmt-vis COMMAND [OPTIONS]", "", *rows, "", "tmt-vis COMMAND --help"]
    )
