"""COCO images for VITA's first training: large jitter of scale, clips of one frame."""

_base_ = "./vita.py"

image_pipeline = [
    dict(type="LoadClipFrames"),
    dict(type="LoadClipAnnotations"),
    dict(
        type="ClipBroadcaster",
        transforms=[
            dict(type="RandomFlip", prob=0.5),
            dict(
                type="RandomResize",
                scale=(1024, 1024),
                ratio_range=(0.1, 2.0),
                keep_ratio=True,
            ),
            dict(
                type="RandomCrop",
                crop_type="absolute",
                crop_size=(1024, 1024),
                allow_negative_crop=True,
            ),
        ],
    ),
    dict(type="PackClipInputs"),
]
train_dataloader = dict(
    batch_size=2,
    sampler=dict(ratios=dict(coco=1.0), batch_size=2),
    dataset=dict(
        datasets=dict(
            coco=dict(_base_.image_sets.coco, num_frames=1, pipeline=image_pipeline)
        )
    ),
)
