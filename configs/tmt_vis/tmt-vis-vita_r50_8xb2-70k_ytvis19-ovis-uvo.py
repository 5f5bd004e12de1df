"""TMT-VIS on VITA R50, 3 datasets of videos and COCO pseudo-clips."""

_base_ = [
    "../_base_/models/mask2former-vis_r50.py",
    "../_base_/models/vita.py",
    "../_base_/models/taxonomy_modules.py",
    "../_base_/datasets/vita_ytvis19_ovis_uvo.py",
    "../_base_/schedules/vita.py",
    "../_base_/default_runtime.py",
]

spaces = ["ytvis19", "ovis", "uvo", "coco"]
head = dict(_base_.taxonomy_modules, taxonomy=dict(label_spaces=spaces))
head.update(_base_.vita.head)
model = dict(_base_.vita, head=head)
del head, spaces

max_iters = 70000
param_scheduler = [dict(_base_.param_scheduler[0], end=max_iters, milestones=[37500])]
train_cfg = dict(max_iters=max_iters, val_interval=10000)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
train_dataloader = dict(batch_size=2, sampler=dict(batch_size=2))
auto_scale_lr = dict(base_batch_size=16)
