"""IDOL with the taxonomy modules trains on two datasets, and is tested on both."""

import json

import pytest
import torch
from helpers.tiny_idol import eager_idol
from helpers.tiny_run import make_sprites, run_cfg
from mmengine.runner import Runner


@pytest.mark.slow
def test_joint_training_on_pairs(tmp_path):
    cfg = run_cfg(make_sprites(tmp_path / "data"), tmp_path / "run", iters=3)
    cfg.model = dict(
        eager_idol(taxonomy=True), data_preprocessor=cfg.model.data_preprocessor
    )
    cfg.experiment_name = "idol"
    Runner.from_cfg(cfg).train()
    (scalars,) = (tmp_path / "run").glob("*/vis_data/scalars.json")
    lines = [json.loads(line) for line in scalars.read_text().splitlines()]
    losses = {key for line in lines for key in line}
    assert {"loss_cls", "d1.loss_dice", "loss_reid", "d0.loss_taxo"} <= losses
    assert {"ytvis19/AP", "ovis/AP", "ovis/taxo_recall"} <= set(lines[-1])
    saved = torch.load(tmp_path / "run" / "iter_3.pth", weights_only=True)
    gates = [v for k, v in saved["state_dict"].items() if "tim" in k and "scale" in k]
    assert gates and all(gate.abs().max() > 0 for gate in gates)  # they have opened
