"""IDOL R50 on pseudo-pairs of COCO, from which training on videos starts."""

_base_ = [
    "../_base_/backbones/r50.py",
    "../_base_/hosts/idol.py",
    "../_base_/datasets/idol_coco.py",
    "../_base_/schedules/idol_59k.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(
        _base_.backbone, out_indices=(1, 2, 3), frozen_stages=1, **_base_.imagenet
    ),
    head=dict(
        neck=dict(in_channels=_base_.feature_channels[1:]),
        taxonomy=dict(label_spaces=["coco", "ytvis19"]),
    ),
)
load_from = None
