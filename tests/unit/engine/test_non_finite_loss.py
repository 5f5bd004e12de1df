"""A NaN stops the run at once and says which clips were on the device."""

import json

import pytest
import torch
from mmdet.registry import MODELS
from toy_training import ToyModel, run_training, toy_config

from tmt_vis.engine import NonFiniteLossError, identify_batch


@MODELS.register_module()
class DivergingModel(ToyModel):
    """Returns a bad loss_b in its third iteration."""

    def __init__(self, bad):
        super().__init__()
        self.bad, self.calls = bad, 0

    def forward(self, inputs, data_samples=None, mode="tensor"):
        losses = super().forward(inputs, data_samples, mode)
        self.calls += 1
        if self.calls == 3:
            losses["loss_b"] = losses["loss_b"] * self.bad
        return losses


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_bad_loss_stops_training_and_names_the_batch(tmp_path, bad):
    cfg = toy_config(tmp_path, save_every=3)
    cfg.model = dict(type="DivergingModel", bad=bad)
    with pytest.raises(
        NonFiniteLossError, match=r"loss_b=(nan|inf).*iteration 3"
    ) as error:
        run_training(cfg)
    assert "loss_a" not in str(error.value)
    report = json.loads((tmp_path / "non_finite_loss_iter3_rank0.json").read_text())
    assert report["iteration"] == 3
    assert report["losses"] == {"loss_b": str(bad), "loss": str(bad)}
    # Positions 4 and 5 of the toy sampler with seed 3.
    clips = [(clip["video_id"], clip["frame_ids"]) for clip in report["clips"]]
    assert clips == [(181, [181, 182]), (218, [218, 219])]
    assert (
        report["clips"][0]["dataset"] == "toy" and report["clips"][0]["clip_seed"] == 7
    )
    # The optimiser step was made with the bad gradient: nothing may be saved after it.
    assert not list(tmp_path.glob("*.pth"))


def test_batches_without_samples_have_no_identity():
    assert identify_batch([torch.zeros(1)]) == []
    assert identify_batch(dict(inputs=[])) == []


def test_finite_losses_pass(tmp_path):
    _, log = run_training(toy_config(tmp_path, max_iters=2))
    assert sorted(log) == [0, 1]
    assert not list(tmp_path.glob("*.json"))
