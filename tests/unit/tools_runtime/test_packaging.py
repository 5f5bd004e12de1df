"""What `pip install .` ships is what the repository holds."""

import configparser
import os
import re
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture(scope="module")
def setup_cfg(repo_root):
    parser = configparser.ConfigParser()
    parser.read(repo_root / "setup.cfg")
    return parser


def test_every_package_is_listed(setup_cfg, repo_root):
    root = repo_root / "projects"
    on_disk = {
        ".".join(path.parent.relative_to(root).parts)
        for path in (root / "tmt_vis").rglob("__init__.py")
    }
    listed = setup_cfg["options"]["packages"].split()
    missing = on_disk - set(listed)
    assert not missing, f"add {sorted(missing)} to packages in setup.cfg"
    assert set(listed) - on_disk == {"tmt_vis.data"}
    assert listed == sorted(listed)


def test_modules_lie_in_packages_only(repo_root):
    # A folder without __init__.py imports from a checkout but is not installed.
    for path in (repo_root / "projects" / "tmt_vis").rglob("*.py"):
        assert (path.parent / "__init__.py").exists(), path


def test_projects_is_a_plain_folder(repo_root):
    # An __init__.py there would shadow the `projects` of an mmdetection checkout.
    assert not (repo_root / "projects" / "__init__.py").exists()


def test_files_of_setup_cfg_exist(setup_cfg, repo_root):
    options = setup_cfg["options"]["install_requires"]
    options += "\n" + "\n".join(setup_cfg["options.extras_require"].values())
    files = [line.split("file:")[1].strip() for line in options.splitlines() if line]
    assert files and all((repo_root / name).is_file() for name in files)


@pytest.fixture
def tree(repo_root, tmp_path):
    """A copy of what an installation reads, so that the checkout is not written to."""
    for name in ("projects", "data", "requirements", "configs", "tools"):
        skip = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
        shutil.copytree(repo_root / name, tmp_path / "tree" / name, ignore=skip)
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "model-index.yml"):
        shutil.copy(repo_root / name, tmp_path / "tree")
    return tmp_path / "tree"


class Environment:
    """A new environment that also sees the packages of the one that runs the test."""

    def __init__(self, folder: Path, *, with_outer: bool) -> None:
        venv.create(folder, with_pip=not with_outer)
        self.bin = folder / "bin"
        (self.site_packages,) = (folder / "lib").glob("python3*/site-packages")
        if with_outer:
            (self.site_packages / "outer.pth").write_text(sysconfig.get_path("purelib"))
        self._variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}

    def run(self, program: str, *words: object, status: int = 0) -> str:
        command = [self.bin / program, *map(str, words)]
        done = subprocess.run(
            command, env=self._variables, cwd="/", capture_output=True, text=True
        )
        assert done.returncode == status, done.stderr
        return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("mode", [[], ["-e"]], ids=["plain", "editable"])
def test_installed_package_finds_its_data(tree, tmp_path, mode):
    new = Environment(tmp_path / "env", with_outer=True)
    options = ["-q", "--no-deps", "--no-build-isolation", *mode]
    new.run("python", "-m", "pip", "install", *options, tree)
    code = (
        "import tmt_vis; from tmt_vis.taxonomy import LabelSpace;"
        "print(tmt_vis.__file__, len(LabelSpace.load('ytvis19')))"
    )
    location, classes = new.run("python", "-c", code).split()
    assert Path(location).is_relative_to(tree if mode else new.site_packages)
    assert classes == "40"
    assert "usage: tmt-vis check" in new.run("tmt-vis", "check", "--help")
    frame = tmp_path / "frame.png"
    assert cv2.imwrite(str(frame), np.zeros((96, 160, 3), np.uint8))
    tracks = tmp_path / "tracks.json"
    words = ["--model", "tmt-vis_r18-tiny_sprites", "--out-json", tracks]
    assert "1 frames of 160x96" in new.run("tmt-vis", "infer", frame, *words)
    assert tracks.exists()
    if not mode:
        found = tmp_path / "found.json"
        new.run("python", "-m", "mim", "search", "tmt_vis", "--json", found)
        assert "tmt-vis_r50_8xb2-16k_ytvis19-ovis-uvo" in found.read_text()


@pytest.mark.slow
def test_a_wheel_without_the_rest_says_what_is_missing(tree, tmp_path):
    outer = Environment(tmp_path / "outer", with_outer=True)
    options = ["-q", "--no-deps", "--no-build-isolation", "-w", tmp_path / "wheel"]
    outer.run("python", "-m", "pip", "wheel", *options, tree)
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    new = Environment(tmp_path / "env", with_outer=False)
    new.run("python", "-m", "pip", "install", "-q", "--no-deps", wheel)
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", new.run("tmt-vis", "--version"))
    said = new.run("tmt-vis", "doctor", status=1)
    assert 'pip install "tmt-vis[mmlab]"' in said
    assert str(new.site_packages / "tmt_vis" / ".mim" / "mmcv_ext") in said
    assert (new.site_packages / "tmt_vis" / ".mim" / "mmcv_ext").is_dir()


def test_every_command_is_a_tool(repo_root):
    import tmt_vis_command

    scripts = {script for script, _ in tmt_vis_command.COMMANDS.values()}
    for script in scripts:
        assert "def main(argv" in (repo_root / "tools" / script).read_text(), script
    assert tmt_vis_command.shipped("configs") == repo_root / "configs"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ([], 0, "usage: tmt-vis COMMAND"),
        (["track"], 2, "'track' is no command of tmt-vis; choose one of infer,"),
    ],
)
def test_commands_that_are_none(capsys, words, status, said):
    import tmt_vis_command

    assert tmt_vis_command.main(words) == status
    captured = capsys.readouterr()
    assert said in captured.out + captured.err
