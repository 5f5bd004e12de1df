"""Make the library of tools/make_sprite_vis.py importable, and generate one tree."""

import json
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[3] / "tools"
if str(TOOLS) not in sys.path:
    # last, or tools/test.py would hide the standard library's `test`
    sys.path.append(str(TOOLS))


def _quiet(what, done, total):
    pass


@pytest.fixture(scope="session")
def small_config():
    from sprite_vis import GenerationConfig

    return GenerationConfig(
        seed=3,
        videos=3,
        val_videos=2,
        height=50,
        width=66,
        frames=6,
        datasets=("ytvis19", "ovis", "uvo", "ytvis21"),
        classes="6",
    )


@pytest.fixture(scope="session")
def make_tree(tmp_path_factory):
    """Return a function that generates a configuration into a new folder."""
    from sprite_vis import generate

    def make(config):
        root = tmp_path_factory.mktemp("sprites") / "out"
        generate(config, root, progress=_quiet)
        return root

    return make


@pytest.fixture(scope="session")
def tree(small_config, make_tree):
    return make_tree(small_config)


@pytest.fixture(scope="session")
def splits(tree):
    """Return (dataset, split) -> (annotation file content, frame folder)."""
    card = json.loads((tree / "dataset_card.json").read_text())
    return {
        (name, split): (
            json.loads((tree / dataset[split]["ann_file"]).read_text()),
            tree / dataset[split]["image_dir"],
        )
        for name, dataset in card["datasets"].items()
        for split in ("train", "val")
    }


@pytest.fixture(scope="session")
def catalogue():
    from sprite_vis import Catalogue

    return Catalogue()


@pytest.fixture(scope="session")
def source(catalogue):
    from sprite_vis.shapes import ShapeSource

    return ShapeSource(catalogue)
