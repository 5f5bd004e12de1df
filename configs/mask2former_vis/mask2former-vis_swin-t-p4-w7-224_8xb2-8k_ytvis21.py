"""Mask2Former-VIS Swin-T on YouTube-VIS 2021."""

_base_ = [
    "../_base_/backbones/swin-t.py",
    "../_base_/hosts/mask2former-vis.py",
    "../_base_/datasets/ytvis21_480p.py",
    "../_base_/schedules/8k.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=_base_.backbone,
    head=dict(
        num_queries=_base_.num_queries,
        pixel_decoder=dict(in_channels=_base_.feature_channels),
        taxonomy=dict(label_spaces=["ytvis21"]),
    ),
)
