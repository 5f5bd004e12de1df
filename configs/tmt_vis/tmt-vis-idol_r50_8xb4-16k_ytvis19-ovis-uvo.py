"""TMT-VIS on IDOL R50: YouTube-VIS 2019, OVIS and UVO."""

_base_ = [
    "../_base_/backbones/r50.py",
    "../_base_/hosts/idol.py",
    "../_base_/taxonomy_modules_idol.py",
    "../_base_/datasets/idol_ytvis19_ovis_uvo.py",
    "../_base_/schedules/idol_16k.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(
        _base_.backbone, out_indices=(1, 2, 3), frozen_stages=1, **_base_.imagenet
    ),
    head=dict(
        **_base_.taxonomy_modules,
        neck=dict(in_channels=_base_.feature_channels[1:]),
        taxonomy=dict(label_spaces=["ytvis19", "ovis", "uvo"]),
    ),
)
load_from = None
