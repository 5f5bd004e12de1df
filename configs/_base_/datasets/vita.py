"""VITA's way with the video datasets: clips, augmentation and COCO pseudo-clips.

Clips of 5 or 6 frames; every other one is enlarged and a window drifts through it; then
all are resized to a short side of 288 to 512. COCO images become clips that drift and
turn. Their categories are mapped to those of the dataset, as VITA does (a bicycle of
COCO is a motorbike of YouTube-VIS); all others are background.

A mix such as ``vita_ytvis19.py`` picks from ``train_sets``, ``image_sets`` and
``category_maps``.
"""

_base_ = ["./vis.py", "./coco.py"]

read = [dict(type="LoadClipFrames"), dict(type="LoadClipAnnotations")]
zoom = dict(
    type="RandomApply",
    prob=0.5,
    transforms=[
        dict(
            type="ClipBroadcaster",
            transforms=[
                dict(
                    type="RandomChoiceResize",
                    scales=[(1333, side) for side in (400, 500, 600)],
                    keep_ratio=True,
                )
            ],
        ),
        dict(type="DriftingCrop", pixel_range=(384, 600)),
    ],
)
fit = dict(
    type="ClipBroadcaster",
    transforms=[
        dict(
            type="RandomChoiceResize",
            scales=[(768, side) for side in range(288, 513, 32)],
            keep_ratio=True,
        ),
        dict(type="RandomFlip", prob=0.5),
    ],
)
pack = dict(type="PackClipInputs")
train_pipeline = [*read, zoom, fit, pack]
pseudo_clip_pipeline = [
    *read,
    zoom,
    fit,
    dict(type="RotateClip", angle_range=(-15, 15)),
    pack,
]
# For Swin-L.
test_pipeline_448p = [
    dict(type="LoadClipFrames"),
    dict(
        type="ClipBroadcaster",
        transforms=[dict(type="Resize", scale=(1333, 448), keep_ratio=True)],
    ),
    pack,
]
del read, zoom, fit, pack

# Frames at most 20 apart for YouTube-VIS 2019, 8 for the others.
train_sets = {
    name: dict(pipeline=train_pipeline, num_frames=6, frame_range=8)
    for name in _base_.train_sets
}
train_sets["ytvis19"].update(num_frames=5, frame_range=20)
image_sets = dict(coco=dict(pipeline=pseudo_clip_pipeline))

_animals = ["cat", "dog", "horse", "cow", "elephant", "bear", "zebra", "giraffe"]
_youtube = dict(
    **{name: name for name in ["person", "airplane", "boat", *_animals]},
    **dict(bicycle="motorbike", motorcycle="motorbike", train="train", truck="truck"),
    **dict(skis="snowboard", snowboard="snowboard", skateboard="skateboard"),
    **{"surfboard": "surfboard", "tennis racket": "tennis_racket"},
)
category_maps = dict(
    ytvis19=dict(_youtube, car="sedan"),
    ytvis21=dict(_youtube, car="car", bird="bird", frisbee="flying_disc"),
    ovis=dict(
        {name: name.capitalize() for name in ["person", "airplane", "boat", *_animals]},
        **dict(sheep="Sheep", bicycle="Bicycle", motorcycle="Motorcycle"),
        **dict(car="Vehical", bus="Vehical", truck="Vehical"),
    ),
)
