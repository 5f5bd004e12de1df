"""What users hold on to: public names, registered types, the tensors of checkpoints.

    PYTHONPATH=tests python -m helpers.api_surface

renews the recorded surface. Its diff belongs in the review: a line that goes away
breaks somebody's import, config or checkpoint.
"""

import importlib
import json
import pkgutil
import re
from pathlib import Path

import mmdet.registry
from helpers.config_family import build_model, load
from mmengine.registry import Registry

import tmt_vis

RECORDED = Path(__file__).resolve().parents[1] / "fixtures" / "api_surface.json"
# One config of each model family; a new family adds one.
FAMILIES = {
    "mask2former_vis": "mask2former_vis/mask2former-vis_r50_8xb2-6k_ytvis19",
    "idol": "idol/idol_r50_8xb4-12k_ytvis21",
    "minvis": "minvis/minvis_r50_8xb4-6k_ytvis19",
    "tmt_vis": "tmt_vis/tmt-vis_r50_8xb2-16k_ytvis19-ovis-uvo",
    "vita": "vita/vita_r50_8xb1-188k_ytvis21",
    "vmt": "vmt/vmt_r50_8xb2-12k_hqytvis",
    "genvis": "genvis/genvis-online_r50_4xb2-90k_ytvis21",
    "tmt_minvis": "tmt_vis/tmt-minvis_r50_8xb4-16k_ytvis19-ovis-uvo",
}


def surface() -> dict[str, dict[str, list[str]]]:
    """Collect the surface of the package as it is now."""
    return dict(
        public=public_names(),
        registered=registered_types(),
        tensors={family: tensors(config) for family, config in FAMILIES.items()},
    )


def public_names() -> dict[str, list[str]]:
    """List ``__all__`` of every package."""
    found = pkgutil.walk_packages(tmt_vis.__path__, "tmt_vis.")
    names = ["tmt_vis", *(module.name for module in found if module.ispkg)]
    modules = {name: importlib.import_module(name) for name in names}
    return {
        name: sorted(getattr(module, "__all__", ())) for name, module in modules.items()
    }


def registered_types() -> dict[str, list[str]]:
    """List what configs may name as ``type``, by registry."""
    for name in public_names():
        importlib.import_module(name)
    registries = {k: r for k, r in vars(mmdet.registry).items()}
    return {
        name: sorted(
            key
            for key, value in registry.module_dict.items()
            if value.__module__.startswith("tmt_vis.")
        )
        for name, registry in sorted(registries.items())
        if isinstance(registry, Registry)
    }


def tensors(config: str) -> list[str]:
    """List the tensors of a model's checkpoints, those of equal layers in one line.

    Args:
        config: name of a config below ``configs``.
    """
    groups: dict[str, int] = {}
    for key, tensor in build_model(load(config).model).state_dict().items():
        name = re.sub(r"(?<=\.)\d+(?=\.)", "#", key)
        line = f"{name} {'x'.join(map(str, tensor.shape))}"
        groups[line] = groups.get(line, 0) + 1
    return sorted(f"{line} ({count})" for line, count in groups.items())


if __name__ == "__main__":
    RECORDED.write_text(json.dumps(surface(), indent=1) + "\n")
