"""Mask2Former-VIS R101 on YouTube-VIS 2019."""

_base_ = [
    "../_base_/backbones/r101.py",
    "../_base_/hosts/mask2former-vis.py",
    "../_base_/datasets/ytvis19.py",
    "../_base_/schedules/6k.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=_base_.backbone,
    head=dict(
        num_queries=_base_.num_queries,
        pixel_decoder=dict(in_channels=_base_.feature_channels),
        taxonomy=dict(label_spaces=["ytvis19"]),
    ),
)
