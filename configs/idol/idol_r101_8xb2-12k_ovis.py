"""IDOL R101 on OVIS: 16 pairs per step."""

_base_ = [
    "../_base_/backbones/r101.py",
    "../_base_/hosts/idol.py",
    "../_base_/datasets/idol_ovis.py",
    "../_base_/schedules/idol_12k.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(
        _base_.backbone, out_indices=(1, 2, 3), frozen_stages=1, **_base_.imagenet
    ),
    head=dict(
        neck=dict(in_channels=_base_.feature_channels[1:]),
        taxonomy=dict(label_spaces=["ovis"]),
        tracker=dict(mask_nms=0.3, new_track=0.3),
    ),
)
load_from = None
auto_scale_lr = dict(base_batch_size=16)
