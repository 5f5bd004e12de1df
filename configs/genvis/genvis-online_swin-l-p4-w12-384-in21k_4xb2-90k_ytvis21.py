"""GenVIS Swin-L, online, on YouTube-VIS 2021 and COCO pseudo-clips."""

_base_ = [
    "../_base_/models/mask2former-vis_swin-l.py",
    "../_base_/models/genvis.py",
    "../_base_/datasets/vita_ytvis21.py",
    "../_base_/schedules/vita.py",
    "../_base_/default_runtime.py",
]

head = dict(_base_.genvis.head, window=1, taxonomy=dict(label_spaces=["ytvis21"]))
model = dict(_base_.genvis, head=head)
del head
load_from = "work_dirs/vita_swin-l-p4-w12-384-in21k_8xb1-188k_ytvis21/iter_187500.pth"

max_iters = 90000
param_scheduler = [dict(_base_.param_scheduler[0], end=max_iters, milestones=[50000])]
train_cfg = dict(max_iters=max_iters, val_interval=10000)

clip = dict(num_frames=5, frame_range=6)
train_dataloader = dict(
    batch_size=2,
    sampler=dict(batch_size=2),
    dataset=dict(datasets=dict(ytvis21=clip, coco=clip)),
)
del clip
# Swin-L is tested at 448.
val_dataloader = dict(
    dataset=dict(datasets=dict(ytvis21=dict(pipeline=_base_.test_pipeline_448p)))
)
test_dataloader = val_dataloader
