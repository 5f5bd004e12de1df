"""What `pip install .` ships is what the repository holds."""

import configparser
import os
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

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
    for name in ("projects", "data", "requirements"):
        skip = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
        shutil.copytree(repo_root / name, tmp_path / "tree" / name, ignore=skip)
    for name in ("setup.cfg", "pyproject.toml"):
        shutil.copy(repo_root / name, tmp_path / "tree")
    return tmp_path / "tree"


@pytest.mark.slow
@pytest.mark.parametrize("mode", [[], ["-e"]], ids=["plain", "editable"])
def test_installed_package_finds_its_data(tree, tmp_path, mode):
    venv.create(tmp_path / "env")
    python = tmp_path / "env" / "bin" / "python"
    (site_packages,) = (tmp_path / "env" / "lib").glob("python3*/site-packages")
    # The new environment also sees the packages of the one that runs this test.
    (site_packages / "outer.pth").write_text(sysconfig.get_path("purelib"))
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}

    def run(*command):
        return subprocess.run(
            [python, *command],
            check=True,
            env=environment,
            cwd="/",
            stdout=subprocess.PIPE,
        ).stdout.decode()

    run("-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", *mode, tree)
    code = (
        "import tmt_vis; from tmt_vis.taxonomy import LabelSpace;"
        "print(tmt_vis.__file__, len(LabelSpace.load('ytvis19')))"
    )
    location, classes = run("-c", code).split()
    assert Path(location).is_relative_to(tree if mode else site_packages)
    assert classes == "40"
