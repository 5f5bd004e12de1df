"""IDOL R50 on YouTube-VIS 2019: 32 pairs per step."""

_base_ = [
    "../_base_/backbones/r50.py",
    "../_base_/hosts/idol.py",
    "../_base_/datasets/idol_ytvis19.py",
    "../_base_/schedules/idol_12k.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(
        _base_.backbone, out_indices=(1, 2, 3), frozen_stages=1, **_base_.imagenet
    ),
    head=dict(
        neck=dict(in_channels=_base_.feature_channels[1:]),
        taxonomy=dict(label_spaces=["ytvis19"]),
    ),
)
load_from = None
