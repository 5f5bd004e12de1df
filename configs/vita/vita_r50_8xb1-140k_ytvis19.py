"""VITA R50 on YouTube-VIS 2019 and COCO pseudo-clips."""

_base_ = [
    "../_base_/backbones/r50.py",
    "../_base_/hosts/vita.py",
    "../_base_/datasets/vita_ytvis19.py",
    "../_base_/schedules/vita.py",
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

max_iters = 140000
param_scheduler = [dict(_base_.param_scheduler[0], end=max_iters, milestones=[75000])]
train_cfg = dict(max_iters=max_iters, val_interval=10000)
