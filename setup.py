"""Put configs, tools and the model index into the package, as OpenMMLab does.

They lie at the top of the repository, where users look for them, and in the wheel below
``tmt_vis/.mim``, where ``mim train|test|search|download tmt_vis`` and ``tmt-vis`` look.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# mmcv_ext is what replaces a compiled mmcv; `tmt-vis doctor` tells how to install it.
SHIPPED = ("configs", "tools", "model-index.yml", "projects/mmcv_ext")
SKIPPED = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")


class BuildWithMim(build_py):
    """Copy what is shipped beside the modules."""

    def run(self) -> None:
        """Build; an editable installation reads the repository itself."""
        super().run()
        if self.editable_mode:
            return
        for name in SHIPPED:
            source = ROOT / name
            target = Path(self.build_lib, "tmt_vis", ".mim", source.name)
            if source.is_dir():
                shutil.copytree(source, target, ignore=SKIPPED, dirs_exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)


setup(cmdclass={"build_py": BuildWithMim})
