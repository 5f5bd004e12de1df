"""Mask2Former-VIS R50 on OVIS: the baseline, without taxonomy modules."""

_base_ = [
    "../_base_/backbones/r50.py",
    "../_base_/hosts/mask2former-vis.py",
    "../_base_/datasets/ovis.py",
    "../_base_/schedules/10k.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=_base_.backbone,
    head=dict(
        num_queries=_base_.num_queries,
        pixel_decoder=dict(in_channels=_base_.feature_channels),
        taxonomy=dict(label_spaces=["ovis"]),
    ),
)
