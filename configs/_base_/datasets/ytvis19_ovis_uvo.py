"""The paper's main mix: YouTube-VIS 2019, OVIS and UVO, 1 : 0.75 : 1.

Folders and files are those of the official releases (data/README.md). A child config
takes a dataset out with ``uvo=None`` in the three dicts, and adds one by adding an
entry to each.
"""

data_root = "data/"
num_frames = 2

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

train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(
        type="MultiDatasetVideoSampler",
        ratios=dict(ytvis19=1.0, ovis=0.75, uvo=1.0),
        batch_size=2,
    ),
    dataset=dict(
        type="MultiDatasetVideoDataset",
        datasets=dict(
            ytvis19=dict(
                type="VISDataset",
                label_space="ytvis19",
                data_root=data_root + "ytvis_2019/",
                ann_file="train.json",
                data_prefix=dict(img="train/JPEGImages"),
                num_frames=num_frames,
                pipeline=train_pipeline,
            ),
            ovis=dict(
                type="VISDataset",
                label_space="ovis",
                data_root=data_root + "ovis/",
                ann_file="annotations_train.json",
                data_prefix=dict(img="train"),
                num_frames=num_frames,
                pipeline=train_pipeline,
            ),
            uvo=dict(
                type="VISDataset",
                label_space="uvo",
                data_root=data_root + "uvo/",
                ann_file="VideoDenseSet/UVO_video_train_dense_with_label.json",
                data_prefix=dict(img="uvo_videos_dense_frames"),
                num_frames=num_frames,
                pipeline=train_pipeline,
            ),
        ),
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type="DefaultSampler", shuffle=False, round_up=False),
    dataset=dict(
        type="MultiDatasetVideoDataset",
        datasets=dict(
            ytvis19=dict(
                type="VISDataset",
                label_space="ytvis19",
                data_root=data_root + "ytvis_2019/",
                ann_file="valid.json",
                data_prefix=dict(img="valid/JPEGImages"),
                test_mode=True,
                pipeline=test_pipeline,
            ),
            ovis=dict(
                type="VISDataset",
                label_space="ovis",
                data_root=data_root + "ovis/",
                ann_file="annotations_valid.json",
                data_prefix=dict(img="valid"),
                test_mode=True,
                pipeline=test_pipeline,
            ),
            uvo=dict(
                type="VISDataset",
                label_space="uvo",
                data_root=data_root + "uvo/",
                ann_file="VideoDenseSet/UVO_video_val_dense_with_label.json",
                data_prefix=dict(img="uvo_videos_dense_frames"),
                test_mode=True,
                pipeline=test_pipeline,
            ),
        ),
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(
    type="MultiDatasetVISEvaluator",
    metrics=dict(
        ytvis19=dict(
            type="VISMetric",
            label_space="ytvis19",
            ann_file=data_root + "ytvis_2019/valid.json",
        ),
        ovis=dict(
            type="VISMetric",
            label_space="ovis",
            ann_file=data_root + "ovis/annotations_valid.json",
        ),
        uvo=dict(
            type="VISMetric",
            label_space="uvo",
            ann_file=data_root
            + "uvo/VideoDenseSet/UVO_video_val_dense_with_label.json",
        ),
    ),
)
test_evaluator = val_evaluator
