"""Pairs of frames as IDOL trains on them: ``pair_sets`` and ``whole_sets`` by dataset.

The earlier frame of a pair is the key frame, the other one at most 10 annotated frames
later. Every other pair is cropped; the crops of a pair have one size and each its own
place (IDOL draws their sizes one by one as well).
"""

crop = dict(type="DriftingCrop", pixel_range=(384, 600), motion="jitter", prob=0.5)
flip = dict(type="RandomFlip", prob=0.5)
load = [dict(type="LoadClipFrames"), dict(type="LoadClipAnnotations")]
resize = dict(
    type="RandomChoiceResize",
    scales=[
        (768, side) for side in (320, 352, 392, 416, 448, 480, 512, 544, 576, 608, 640)
    ],
    keep_ratio=True,
)
resize_large = dict(
    type="RandomChoiceResize",
    scales=[(1333, side) for side in range(480, 801, 32)],
    keep_ratio=True,
)
pair_pipeline = [
    *load,
    crop,
    dict(type="ClipBroadcaster", transforms=[resize, flip]),
    dict(type="PackClipInputs"),
]
pair_pipeline_large = [
    *load,
    crop,
    dict(type="ClipBroadcaster", transforms=[resize_large, flip]),
    dict(type="PackClipInputs"),
]
# Both frames are one image, augmented twice.
pseudo_pair_pipeline = [
    *load,
    dict(type="ClipBroadcaster", transforms=[flip], share_random_params=False),
    crop,
    dict(type="ClipBroadcaster", transforms=[resize]),
    dict(type="PackClipInputs"),
]
whole_pipeline = [
    dict(type="LoadClipFrames"),
    dict(
        type="ClipBroadcaster",
        transforms=[dict(type="Resize", scale=(1333, 480), keep_ratio=True)],
    ),
    dict(type="PackClipInputs"),
]
whole_pipeline_large = [
    dict(type="LoadClipFrames"),
    dict(
        type="ClipBroadcaster",
        transforms=[dict(type="Resize", scale=(1333, 720), keep_ratio=True)],
    ),
    dict(type="PackClipInputs"),
]
pair = dict(num_frames=2, frame_range=10, pipeline=pair_pipeline)
pair_sets = dict(
    ytvis19=pair,
    ytvis21=pair,
    uvo=pair,
    ovis=dict(pair, pipeline=pair_pipeline_large),
    coco=dict(pair, pipeline=pseudo_pair_pipeline),
)
whole = dict(pipeline=whole_pipeline)
whole_sets = dict(
    ytvis19=whole, ytvis21=whole, uvo=whole, ovis=dict(pipeline=whole_pipeline_large)
)
del crop, flip, load, resize, resize_large, pair, whole
