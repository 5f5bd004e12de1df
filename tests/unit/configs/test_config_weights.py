"""The COCO weights a config starts from exist in mmdet's zoo and fit the model."""

from functools import cache
from pathlib import Path

import mmdet
import pytest
import yaml
from helpers.config_family import build_model, family, load
from mmengine.config import Config

ZOO = Path(mmdet.__file__).parent / ".mim"


@cache
def _starts() -> dict[str, str]:
    """One config per checkpoint of mmdet's zoo."""
    names = {load(name).load_from: name for name in reversed(family())}
    return {url: name for url, name in names.items() if str(url).startswith("http")}


@pytest.fixture(scope="module")
def zoo() -> dict[str, str]:
    """Config of each checkpoint of mmdet's Mask2Former."""
    models = yaml.safe_load((ZOO / "configs/mask2former/metafile.yml").read_text())
    return {model["Weights"]: model["Config"] for model in models["Models"]}


def test_six_backbones_start_from_six_checkpoints():
    assert len(_starts()) == 6


# By number, because reading every config would delay the collection by seconds.
@pytest.mark.parametrize("number", range(6))
def test_checkpoint_has_the_shape_of_the_model(number, zoo):
    weights = sorted(_starts())[number]
    theirs = build_model(Config.fromfile(ZOO / zoo[weights]).model).state_dict()
    theirs = {
        key.replace("panoptic_head.", "head."): tuple(value.shape)
        for key, value in theirs.items()
    }
    ours = {
        key.replace("query_decoder.", ""): tuple(value.shape)
        for key, value in build_model(load(_starts()[weights]).model)
        .state_dict()
        .items()
        if not key.startswith(("head.guidance.", "head.vocabulary."))
    }
    assert ours.keys() == theirs.keys()
    differ = {key for key, shape in ours.items() if theirs[key] != shape}
    # The classifier of other categories is the one thing that starts from scratch.
    assert differ == {
        "head.cls_embed.weight",
        "head.cls_embed.bias",
    }
