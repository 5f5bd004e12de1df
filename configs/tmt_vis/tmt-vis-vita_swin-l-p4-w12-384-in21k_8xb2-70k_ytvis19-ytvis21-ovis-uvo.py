"""TMT-VIS on VITA Swin-L, 4 datasets of videos and COCO pseudo-clips."""

_base_ = [
    "../_base_/backbones/swin-l.py",
    "../_base_/hosts/vita.py",
    "../_base_/taxonomy_modules.py",
    "../_base_/datasets/vita_ytvis19_ytvis21_ovis_uvo_480p.py",
    "../_base_/schedules/vita.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=_base_.backbone,
    head=dict(
        **_base_.taxonomy_modules,
        num_queries=_base_.num_queries,
        pixel_decoder=dict(in_channels=_base_.feature_channels),
        taxonomy=dict(label_spaces=["ytvis19", "ytvis21", "ovis", "uvo", "coco"]),
    ),
)

max_iters = 70000
param_scheduler = [dict(_base_.param_scheduler[0], end=max_iters, milestones=[37500])]
train_cfg = dict(max_iters=max_iters, val_interval=10000)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
train_dataloader = dict(batch_size=2, sampler=dict(batch_size=2))
auto_scale_lr = dict(base_batch_size=16)
