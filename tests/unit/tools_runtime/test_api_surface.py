"""No public name, type or tensor comes or goes without being seen."""

import importlib
import json

import pytest
from helpers import api_surface

from tmt_vis.models import VideoHead

HINT = "if that is meant: PYTHONPATH=tests python -m helpers.api_surface"


@pytest.mark.parametrize("part", ["public", "registered", "tensors"])
def test_the_surface_is_the_recorded_one(part):
    collect = dict(
        public=api_surface.public_names,
        registered=api_surface.registered_types,
        tensors=lambda: {
            family: api_surface.tensors(config)
            for family, config in api_surface.FAMILIES.items()
        },
    )
    recorded, now = json.loads(api_surface.RECORDED.read_text())[part], collect[part]()
    assert recorded.keys() == now.keys(), HINT
    changed = {
        group: dict(
            gone=sorted(set(recorded[group]) - set(now[group])),
            new=sorted(set(now[group]) - set(recorded[group])),
        )
        for group in now
        if recorded[group] != now[group]
    }
    assert not changed, f"{changed}; {HINT}"


def test_every_public_name_exists():
    for package, names in api_surface.public_names().items():
        module = importlib.import_module(package)
        missing = [name for name in names if not hasattr(module, name)]
        assert not missing, package


def test_every_head_has_a_family():
    heads = {
        type(api_surface.build_model(api_surface.load(c).model).head)
        for c in api_surface.FAMILIES.values()
    }
    concrete = {head for head in _subclasses(VideoHead) if not head.__abstractmethods__}
    own = {head for head in concrete if head.__module__.startswith("tmt_vis.")}
    assert own <= heads, "add a config of it to helpers.api_surface.FAMILIES"


def _subclasses(cls: type) -> set[type]:
    return {cls}.union(*(_subclasses(child) for child in cls.__subclasses__()))
