"""GenVIS R50, online, on YouTube-VIS 2019 and COCO pseudo-clips."""

_base_ = [
    "../_base_/backbones/r50.py",
    "../_base_/hosts/genvis.py",
    "../_base_/datasets/vita_ytvis19.py",
    "../_base_/schedules/vita.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=_base_.backbone,
    head=dict(
        window=1,
        num_queries=_base_.num_queries,
        pixel_decoder=dict(in_channels=_base_.feature_channels),
        taxonomy=dict(label_spaces=["ytvis19"]),
    ),
)
load_from = "work_dirs/vita_r50_8xb1-140k_ytvis19/iter_140000.pth"

max_iters = 15000
param_scheduler = [dict(_base_.param_scheduler[0], end=max_iters, milestones=[10000])]
train_cfg = dict(max_iters=max_iters, val_interval=2500)

clip = dict(num_frames=5, frame_range=6)
train_dataloader = dict(
    batch_size=2,
    sampler=dict(batch_size=2),
    dataset=dict(datasets=dict(ytvis19=clip, coco=clip)),
)
del clip
