"""The video datasets we know, and loaders that still hold none of them.

Folders and files are those of the official releases (docs/datasets.md). A mix such as
``ytvis19_ovis_uvo.py`` picks from ``train_sets``, ``val_sets`` and ``metrics`` when it
is parsed. To change a dataset that a mix has picked, change it where it was put:
in the dataloaders and evaluators.
"""

train_pipeline = [
    dict(type="LoadClipFrames"),
    dict(type="LoadClipAnnotations"),
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
test_pipeline = [
    dict(type="LoadClipFrames"),
    dict(
        type="ClipBroadcaster",
        transforms=[dict(type="Resize", scale=(1333, 360), keep_ratio=True)],
    ),
    dict(type="PackClipInputs"),
]
# For Swin backbones; the mixes named *_480p.py test with it.
test_pipeline_480p = [
    dict(type="LoadClipFrames"),
    dict(
        type="ClipBroadcaster",
        transforms=[dict(type="Resize", scale=(1333, 480), keep_ratio=True)],
    ),
    dict(type="PackClipInputs"),
]

# Two frames at most 20 apart, as Mask2Former-VIS (frame_range is the default).
clip = dict(type="VISDataset", num_frames=2, pipeline=train_pipeline)
video = dict(type="VISDataset", test_mode=True, pipeline=test_pipeline)
train_sets = dict(
    ytvis19=dict(
        clip,
        label_space="ytvis19",
        data_root="data/ytvis_2019/",
        ann_file="train.json",
        data_prefix=dict(img="train/JPEGImages"),
    ),
    ytvis21=dict(
        clip,
        label_space="ytvis21",
        data_root="data/ytvis_2021/",
        ann_file="train/instances.json",
        data_prefix=dict(img="train/JPEGImages"),
    ),
    ovis=dict(
        clip,
        label_space="ovis",
        data_root="data/ovis/",
        ann_file="annotations_train.json",
        data_prefix=dict(img="train"),
    ),
    uvo=dict(
        clip,
        label_space="uvo",
        data_root="data/uvo/",
        ann_file="VideoDenseSet/UVO_video_train_dense_with_label.json",
        data_prefix=dict(img="uvo_videos_dense_frames"),
    ),
    # Categories of 2021; the validation set has long videos as well.
    ytvis22=dict(
        clip,
        label_space="ytvis21",
        data_root="data/ytvis_2022/",
        ann_file="train/instances.json",
        data_prefix=dict(img="train/JPEGImages"),
    ),
    # Other masks for frames of YouTube-VIS 2019: all splits are in its training set.
    hqytvis=dict(
        clip,
        label_space="ytvis19",
        data_root="data/ytvis_2019/",
        ann_file="ytvis_hq-train.json",
        data_prefix=dict(img="train/JPEGImages"),
    ),
    lvvis=dict(
        clip,
        label_space="lvvis",
        data_root="data/lvvis/",
        ann_file="train/train_instances.json",
        data_prefix=dict(img="train/JPEGImages"),
    ),
    burst=dict(
        clip,
        label_space="burst",
        data_root="data/burst/",
        ann_file="annotations/train/all_classes.json",
        data_prefix=dict(img="frames/train"),
    ),
)
val_sets = dict(
    ytvis19=dict(
        video,
        label_space="ytvis19",
        data_root="data/ytvis_2019/",
        ann_file="valid.json",
        data_prefix=dict(img="valid/JPEGImages"),
    ),
    ytvis21=dict(
        video,
        label_space="ytvis21",
        data_root="data/ytvis_2021/",
        ann_file="valid/instances.json",
        data_prefix=dict(img="valid/JPEGImages"),
    ),
    ovis=dict(
        video,
        label_space="ovis",
        data_root="data/ovis/",
        ann_file="annotations_valid.json",
        data_prefix=dict(img="valid"),
    ),
    uvo=dict(
        video,
        label_space="uvo",
        data_root="data/uvo/",
        ann_file="VideoDenseSet/UVO_video_val_dense_with_label.json",
        data_prefix=dict(img="uvo_videos_dense_frames"),
    ),
    # Categories of 2021; the validation set has long videos as well.
    ytvis22=dict(
        video,
        label_space="ytvis21",
        data_root="data/ytvis_2022/",
        ann_file="valid/instances.json",
        data_prefix=dict(img="valid/JPEGImages"),
    ),
    hqytvis=dict(
        video,
        label_space="ytvis19",
        data_root="data/ytvis_2019/",
        ann_file="ytvis_hq-val.json",
        data_prefix=dict(img="train/JPEGImages"),
    ),
    lvvis=dict(
        video,
        label_space="lvvis",
        data_root="data/lvvis/",
        ann_file="val/val_instances.json",
        data_prefix=dict(img="val/JPEGImages"),
    ),
    burst=dict(
        video,
        label_space="burst",
        data_root="data/burst/",
        ann_file="annotations/val/all_classes.json",
        data_prefix=dict(img="frames/val"),
    ),
)
metrics = {
    name: dict(
        type="VISMetric",
        label_space=val["label_space"],
        ann_file=val["data_root"] + val["ann_file"],
    )
    for name, val in val_sets.items()
}
# Not part of a config: a child that changed them would change nothing.
del clip, video

train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="MultiDatasetVideoSampler", ratios=dict(), batch_size=2),
    dataset=dict(type="MultiDatasetVideoDataset", datasets=dict()),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type="DefaultSampler", shuffle=False, round_up=False),
    dataset=dict(type="MultiDatasetVideoDataset", datasets=dict()),
)
test_dataloader = val_dataloader
val_evaluator = dict(type="MultiDatasetVISEvaluator", metrics=dict())
test_evaluator = val_evaluator
