"""COCO images as pseudo-clips, for a mix to pick from: ``image_sets``.

Only training: there is no validation of videos on images. Ranges are VITA's
(arXiv:2206.04403): angles of at most 15 degrees about a centre near the middle, and
in every other clip a window that drifts.
"""

pseudo_clip_pipeline = [
    dict(type="LoadClipFrames"),
    dict(type="LoadClipAnnotations"),
    dict(type="RotateClip", angle_range=(-15, 15)),
    dict(type="DriftingCrop", crop_size=(0.6, 0.6), prob=0.5),
    dict(
        type="ClipBroadcaster",
        transforms=[
            dict(
                type="RandomChoiceResize",
                scales=[(1333, 360), (1333, 480)],
                keep_ratio=True,
            ),
            dict(type="RandomFlip", prob=0.5),
        ],
    ),
    dict(type="PackClipInputs"),
]
image_sets = dict(
    coco=dict(
        type="ImageDataset",
        num_frames=2,
        pipeline=pseudo_clip_pipeline,
        label_space="coco",
        data_root="data/coco/",
        ann_file="annotations/instances_train2017.json",
        data_prefix=dict(img="train2017"),
    )
)
