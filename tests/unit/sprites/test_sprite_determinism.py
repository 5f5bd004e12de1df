"""The same arguments give the same bytes, in any process."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]

# tmt_vis as a bare namespace: the generator needs the taxonomy room alone, and
# importing every room would take longer than all tests of this folder
CHILD = """
import sys, types
tmt_vis = types.ModuleType("tmt_vis")
tmt_vis.__path__ = [{package!r}]
sys.modules["tmt_vis"] = tmt_vis
sys.path.insert(0, {tools!r})
from pathlib import Path
from sprite_vis import GenerationConfig, generate
generate({config!r}, Path({out!r}), progress=lambda *_: None)
"""


def _files(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_another_process_with_another_hash_seed(tree, small_config, tmp_path):
    code = CHILD.format(
        package=str(REPOSITORY / "projects" / "tmt_vis"),
        tools=str(REPOSITORY / "tools"),
        config=small_config,
        out=str(tmp_path / "out"),
    )
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "12345"},
    )
    assert _files(tmp_path / "out") == _files(tree)


def test_another_seed_differs_everywhere(tree, small_config, make_tree):
    small = replace(small_config, datasets=("ytvis19", "uvo"))
    other = _files(make_tree(replace(small, seed=4)))
    same = _files(make_tree(small))
    frames = [name for name in same if name.endswith((".jpg", ".png"))]
    assert not set(frames) & set(other)
    assert not set(same.values()) & set(other.values())


def test_more_videos_and_other_datasets_leave_the_first_alone(
    tree, small_config, make_tree
):
    more = replace(small_config, videos=5, datasets=("uvo",))
    frames = {
        name: digest
        for name, digest in _files(tree).items()
        if name.startswith("uvo/") and name.endswith(".png")
    }
    assert frames.items() <= _files(make_tree(more)).items()


def test_train_and_val_do_not_share_a_frame(tree):
    digests = list(_files(tree).values())
    assert len(set(digests)) == len(digests)


def test_a_used_folder_is_refused(tree, small_config):
    from sprite_vis import generate

    with pytest.raises(FileExistsError, match="must be empty"):
        generate(small_config, tree, progress=lambda *_: None)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (dict(frames=0), "frames must be at least 1"),
        (dict(height=16), "height must be at least 32"),
        (dict(seed=-1), "seed must be at least 0"),
        (dict(datasets=("coco",)), "distinct names"),
        (dict(datasets=("uvo", "uvo")), "distinct names"),
        (dict(datasets=()), "distinct names"),
        (dict(sprites="photos"), "sprites must be one of shapes, emoji"),
        (dict(counts="bytes"), "counts must be one of"),
    ],
)
def test_impossible_arguments(change, rule):
    from sprite_vis import GenerationConfig

    with pytest.raises(ValueError, match=rule):
        GenerationConfig(**change)
