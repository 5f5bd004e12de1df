"""Checkpoints and configs of version 0.4 mean the same as before."""

from pathlib import Path

import pytest
import torch
from helpers.tiny_model import build, head_cfg, samples
from mmdet.registry import MODELS

NAMES = Path(__file__).parents[2] / "fixtures/version_0_4/parameters.txt"


def old_name(name):
    return name.replace("query_decoder.", "").replace("guidance.", "")


def test_parameters_are_numbered_as_before():
    """Optimisers store their state by number, so an old run can go on."""
    names = [old_name(name) for name, _ in build().named_parameters()]
    assert names == NAMES.read_text().split()


@pytest.mark.parametrize("prefix", ["", "model."])
def test_old_weights_load(prefix):
    source, model = build(1), build()
    old = {prefix + old_name(k): v for k, v in source.state_dict().items()}
    outer = torch.nn.ModuleDict(dict(model=model)) if prefix else model
    outer.load_state_dict(old, strict=True)
    ours, theirs = model.state_dict(), source.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_an_unknown_weight_is_still_an_error():
    weights = build().state_dict() | {"head.cls_embed_2.weight": torch.zeros(1)}
    with pytest.raises(RuntimeError, match="Unexpected key.*cls_embed_2"):
        build().load_state_dict(weights)


@pytest.mark.parametrize(
    ("scope", "options"),
    [
        (dict(type="ClipScope"), {}),
        (
            dict(type="FrameScope", test_taxonomy="video", frames_per_chunk=2),
            dict(per_frame=True, test_taxonomy="video", frames_per_chunk=2),
        ),
        (
            dict(type="FrameScope", tracker=dict(type="QuerySimilarityTracker")),
            dict(per_frame=True),
        ),
    ],
)
def test_scope(scope, options):
    inputs, data = samples(frames=3)
    tracks = [
        [x.pred_tracks for x in build(**head).eval().predict(inputs, data)]
        for head in (dict(scope=scope), options)
    ]
    for old, new in zip(*tracks, strict=True):
        assert torch.equal(old.scores, new.scores) and old.tubes == new.tubes


def test_an_unknown_scope_is_an_error():
    with pytest.raises(ValueError, match="ClipScope or FrameScope, got 'VideoScope'"):
        MODELS.build(head_cfg(scope=dict(type="VideoScope")))
