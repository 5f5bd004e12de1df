"""VITA R50 on COCO images, each a clip of one frame: where its training begins."""

_base_ = [
    "../_base_/backbones/r50.py",
    "../_base_/hosts/vita.py",
    "../_base_/datasets/vita_coco.py",
    "../_base_/schedules/vita.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(_base_.backbone, **_base_.imagenet),
    head=dict(
        num_queries=_base_.num_queries,
        pixel_decoder=dict(in_channels=_base_.feature_channels),
        video=dict(encoder=dict(window=0)),
        taxonomy=dict(label_spaces=["coco"]),
    ),
)
load_from = None

max_iters = 368750
param_scheduler = [
    dict(_base_.param_scheduler[0], end=max_iters, milestones=[327778, 355092])
]
train_cfg = dict(max_iters=max_iters)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
auto_scale_lr = dict(base_batch_size=16)
# There are no videos to validate on.
val_cfg = test_cfg = None
val_dataloader = test_dataloader = val_evaluator = test_evaluator = None
