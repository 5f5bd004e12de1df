"""VITA R50 on YouTube-VIS 2021 and COCO pseudo-clips."""

_base_ = [
    "../_base_/models/mask2former-vis_r50.py",
    "../_base_/models/vita.py",
    "../_base_/datasets/vita_ytvis21.py",
    "../_base_/schedules/vita.py",
    "../_base_/default_runtime.py",
]

head = dict(_base_.vita.head, taxonomy=dict(label_spaces=["ytvis21"]))
model = dict(_base_.vita, head=head)
del head

max_iters = 187500
param_scheduler = [dict(_base_.param_scheduler[0], end=max_iters, milestones=[100000])]
train_cfg = dict(max_iters=max_iters, val_interval=12500)
