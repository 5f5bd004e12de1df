"""Mask2Former-VIS Swin-L on YouTube-VIS 2019."""

_base_ = [
    "../_base_/models/mask2former-vis_swin-l.py",
    "../_base_/datasets/ytvis19.py",
    "../_base_/schedules/6k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(taxonomy=dict(label_spaces=["ytvis19"])))

test_pipeline = [
    dict(type="LoadClipFrames"),
    dict(
        type="ClipBroadcaster",
        transforms=[dict(type="Resize", scale=(1333, 480), keep_ratio=True)],
    ),
    dict(type="PackClipInputs"),
]
val_dataloader = dict(dataset=dict(datasets=dict(ytvis19=dict(pipeline=test_pipeline))))
test_dataloader = val_dataloader
