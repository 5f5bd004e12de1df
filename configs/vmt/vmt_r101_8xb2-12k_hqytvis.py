"""Video Mask Transfiner R101 on HQ-YTVIS."""

_base_ = [
    "../_base_/backbones/r101.py",
    "../_base_/hosts/vmt.py",
    "../_base_/datasets/vmt_hqytvis.py",
    "../_base_/schedules/vmt_12k.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(
        dict(_base_.backbone, type="StemResNet", frozen_stages=1), **_base_.imagenet
    ),
    head=dict(
        neck=dict(in_channels=_base_.feature_channels[1:]),
        cascade=dict(stage_channels=256, stem_channels=64),
        taxonomy=dict(label_spaces=["ytvis19"]),
    ),
)
load_from = None
