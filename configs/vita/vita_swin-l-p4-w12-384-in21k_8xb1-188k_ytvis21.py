"""VITA Swin-L on YouTube-VIS 2021 and COCO pseudo-clips."""

_base_ = [
    "../_base_/backbones/swin-l.py",
    "../_base_/hosts/vita.py",
    "../_base_/datasets/vita_ytvis21_448p.py",
    "../_base_/schedules/vita.py",
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

max_iters = 187500
param_scheduler = [dict(_base_.param_scheduler[0], end=max_iters, milestones=[100000])]
train_cfg = dict(max_iters=max_iters, val_interval=12500)
