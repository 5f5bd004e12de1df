"""Checkpoints that version 0.4.2 wrote load, go on training, and predict as they did.

The two files in ``tests/fixtures/version_0_4/checkpoints`` come from 0.4.2 itself: two
steps of SGD on the sprites of ``tiny_run`` with the models below. ``expected.json``
holds what 0.4.2 predicted from them and which clips it trained on next. They are never
renewed.
"""

import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.tiny_model import model_cfg, samples
from helpers.tiny_run import make_sprites, run_cfg
from mmdet.registry import MODELS
from mmengine.hooks import Hook

from tmt_vis.engine.launch import build_runner

FIXTURES = (
    Path(__file__).resolve().parents[2] / "fixtures" / "version_0_4" / "checkpoints"
)
EXPECTED = json.loads((FIXTURES / "expected.json").read_text())
HEADS = dict(
    tmt_vis={},
    minvis=dict(taxonomy_modules=False, scope=dict(type="FrameScope")),
)
_RUNS = itertools.count()


def _narrow(model: dict[str, Any]) -> dict[str, Any]:
    """Make a tiny model of a quarter of its width, so that the files are small."""
    model["backbone"].update(base_channels=2, stem_channels=2)
    head = model["head"]
    head["pixel_decoder"].update(
        in_channels=[2, 4, 8, 16],
        feat_channels=8,
        out_channels=8,
        norm_cfg=dict(type="GN", num_groups=2),
        positional_encoding=dict(num_feats=4, normalize=True),
    )
    layer = head["pixel_decoder"]["encoder"]["layer_cfg"]
    layer["self_attn_cfg"].update(embed_dims=8, num_heads=2)
    layer["ffn_cfg"].update(embed_dims=8, feedforward_channels=8)
    head["decoder"].update(num_layers=2, channels=8, num_heads=2, ffn_channels=8)
    head["num_queries"] = 6
    if "compilation" in head:
        head["compilation"].update(adapter_dim=4, num_heads=2, ffn_channels=8)
        head["injection"]["layer"].update(num_heads=2, ffn_channels=8)
    return model


@pytest.fixture(params=HEADS)
def host(request) -> str:
    return request.param


@pytest.fixture
def checkpoint(host, tmp_path) -> Path:
    path = tmp_path / f"{host}.pth"
    path.write_bytes(gzip.decompress((FIXTURES / f"{host}.pth.gz").read_bytes()))
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_sprites(tmp_path_factory.mktemp("sprites"))


def test_it_loads_strictly_and_predicts_as_before(host, checkpoint):
    model = MODELS.build(_narrow(model_cfg(**HEADS[host]))).eval()
    saved = torch.load(checkpoint, weights_only=True)["state_dict"]
    model.load_state_dict(saved, strict=True)
    inputs, data_samples = samples(frames=3)
    predicted = model.predict(inputs, data_samples)
    for sample, expected in zip(predicted, EXPECTED[host]["predictions"], strict=True):
        tracks = sample.pred_tracks
        assert tracks.scores.tolist() == pytest.approx(expected["scores"], abs=1e-5)
        assert tracks.labels.tolist() == expected["labels"]
        areas = [tube.area for tube in tracks.tubes]
        assert areas == pytest.approx(expected["areas"], abs=2)


class _Clips(Hook):
    def __init__(self) -> None:
        self.batches: list[list[list[Any]]] = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        clips = data_batch["data_samples"]
        self.batches.append(
            [[c.dataset, c.video_id, list(c.frame_ids), c.clip_seed] for c in clips]
        )


def test_a_run_goes_on_at_the_next_clip(host, checkpoint, data, tmp_path):
    cfg = run_cfg(data, tmp_path / "run", iters=4, **HEADS[host])
    _narrow(cfg.model)
    cfg.param_scheduler = [dict(type="MultiStepLR", milestones=[3], by_epoch=False)]
    for part in ("dataloader", "evaluator", "cfg"):
        cfg[f"val_{part}"] = cfg[f"test_{part}"] = None
    cfg.update(launcher="none", load_from=str(checkpoint), resume=True)
    cfg.experiment_name = f"version_0_4_{next(_RUNS)}"
    runner, clips = build_runner(cfg), _Clips()
    runner.register_hook(clips)
    runner.train()
    assert clips.batches == EXPECTED[host]["next_batches"]
    (scheduler,) = runner.param_schedulers
    assert scheduler.state_dict()["_global_step"] == 4
    moments = runner.optim_wrapper.optimizer.state.values()
    assert moments and all(m["momentum_buffer"].isfinite().all() for m in moments)
