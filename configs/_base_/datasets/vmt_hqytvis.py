"""HQ-YTVIS, in clips of five frames; tested at a short side of 360."""

_base_ = "./vis.py"

crop = dict(type="DriftingCrop", pixel_range=(384, 600), motion="jitter", prob=0.5)
resize = dict(
    type="RandomChoiceResize",
    scales=[(768, side) for side in (288, 320, 352, 392, 416, 448, 480, 512)],
    keep_ratio=True,
)
flip = dict(type="RandomFlip", prob=0.5)
clip_pipeline = [
    dict(type="LoadClipFrames"),
    dict(type="LoadClipAnnotations"),
    crop,
    dict(type="ClipBroadcaster", transforms=[resize, flip]),
    dict(type="PackClipInputs"),
]
whole_pipeline = [
    dict(type="LoadClipFrames"),
    dict(
        type="ClipBroadcaster",
        transforms=[dict(type="Resize", scale=(10000, 360), keep_ratio=True)],
    ),
    dict(type="PackClipInputs"),
]
train_dataloader = dict(
    sampler=dict(ratios=dict(hqytvis=1.0)),
    dataset=dict(
        datasets=dict(
            hqytvis=dict(
                _base_.train_sets.hqytvis, num_frames=5, pipeline=clip_pipeline
            )
        )
    ),
)
val_dataloader = dict(
    dataset=dict(
        datasets=dict(hqytvis=dict(_base_.val_sets.hqytvis, pipeline=whole_pipeline))
    )
)
# Published numbers are those of the test split, which has labels.
test_dataloader = dict(
    dataset=dict(
        datasets=dict(
            hqytvis=dict(
                _base_.val_sets.hqytvis,
                ann_file="ytvis_hq-test.json",
                pipeline=whole_pipeline,
            )
        )
    )
)
# Tube-Mask and Tube-Boundary AP.
val_evaluator = dict(metrics=dict(hqytvis=dict(_base_.metrics.hqytvis, boundary=True)))
test_evaluator = dict(
    metrics=dict(
        hqytvis=dict(
            _base_.metrics.hqytvis,
            ann_file="data/ytvis_2019/ytvis_hq-test.json",
            boundary=True,
        )
    )
)
del crop, resize, flip
