"""VITA Swin-L on OVIS and COCO pseudo-clips."""

_base_ = [
    "../_base_/backbones/swin-l.py",
    "../_base_/hosts/vita.py",
    "../_base_/datasets/vita_ovis_448p.py",
    "../_base_/schedules/vita.py",
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

max_iters = 150000
param_scheduler = [
    dict(_base_.param_scheduler[0], end=max_iters, milestones=[50000, 125000])
]
train_cfg = dict(max_iters=max_iters, val_interval=10000)
