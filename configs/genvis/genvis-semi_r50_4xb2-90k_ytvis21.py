"""GenVIS R50, semi-online, on YouTube-VIS 2021 and COCO pseudo-clips."""

_base_ = [
    "../_base_/backbones/r50.py",
    "../_base_/hosts/genvis.py",
    "../_base_/datasets/vita_ytvis21.py",
    "../_base_/schedules/vita.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=_base_.backbone,
    head=dict(
        window=3,
        num_queries=_base_.num_queries,
        pixel_decoder=dict(in_channels=_base_.feature_channels),
        taxonomy=dict(label_spaces=["ytvis21"]),
    ),
)
load_from = "work_dirs/vita_r50_8xb1-188k_ytvis21/iter_187500.pth"

max_iters = 90000
param_scheduler = [dict(_base_.param_scheduler[0], end=max_iters, milestones=[50000])]
train_cfg = dict(max_iters=max_iters, val_interval=10000)

clip = dict(num_frames=15, frame_range=12)
train_dataloader = dict(
    batch_size=2,
    sampler=dict(batch_size=2),
    dataset=dict(datasets=dict(ytvis21=clip, coco=clip)),
)
del clip
