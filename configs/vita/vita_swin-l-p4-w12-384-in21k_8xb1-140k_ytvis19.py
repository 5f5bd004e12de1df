"""VITA Swin-L on YouTube-VIS 2019 and COCO pseudo-clips."""

_base_ = [
    "../_base_/models/mask2former-vis_swin-l.py",
    "../_base_/models/vita.py",
    "../_base_/datasets/vita_ytvis19.py",
    "../_base_/schedules/vita.py",
    "../_base_/default_runtime.py",
]

head = dict(_base_.vita.head, taxonomy=dict(label_spaces=["ytvis19"]))
model = dict(_base_.vita, head=head)
del head

max_iters = 140000
param_scheduler = [dict(_base_.param_scheduler[0], end=max_iters, milestones=[75000])]
train_cfg = dict(max_iters=max_iters, val_interval=10000)

# Swin-L is tested at 448.
val_dataloader = dict(
    dataset=dict(datasets=dict(ytvis19=dict(pipeline=_base_.test_pipeline_448p)))
)
test_dataloader = val_dataloader
