"""One run of the miniature grid: the demo's model at two fifths of its pixels.

Trained on some of three sprite datasets, tested on all. The runner (runs.py) sets the
seed and the paths, loads the pre-trained weights and takes datasets out of the mix.
"""

_base_ = ["../../../configs/demo/tmt-vis_r18-tiny_1xb4-1400_sprites.py"]

max_iters = 500
warmup = 25
data_root = "work_dirs/miniature/data/train/"
test_root = "work_dirs/miniature/data/heldout/"
work_dir = "work_dirs/miniature/run"

model = dict(
    head=dict(
        num_queries=16,
        # Joint taxonomy of all three, so that every run can be tested on all of them.
        taxonomy=dict(label_spaces=["ytvis19", "ovis", "uvo"]),
        pixel_decoder=dict(encoder=dict(num_layers=1)),
        criterion=dict(points=dict(num_points=512)),
        test_cfg=dict(max_per_video=dict(ytvis19=10, ovis=16, uvo=16)),
    ),
)

train_pipeline = [
    dict(type="LoadClipFrames"),
    dict(type="LoadClipAnnotations"),
    dict(type="ClipBroadcaster", transforms=[dict(type="RandomFlip", prob=0.5)]),
    dict(type="PackClipInputs"),
]
test_pipeline = [dict(type="LoadClipFrames"), dict(type="PackClipInputs")]
# No worker processes: a run has one core.
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        datasets=dict(
            ytvis19=dict(data_root=data_root + "ytvis_2019/", pipeline=train_pipeline),
            ovis=dict(data_root=data_root + "ovis/", pipeline=train_pipeline),
            uvo=dict(data_root=data_root + "uvo/", pipeline=train_pipeline),
        )
    ),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        datasets=dict(
            ytvis19=dict(data_root=test_root + "ytvis_2019/", pipeline=test_pipeline),
            ovis=dict(data_root=test_root + "ovis/", pipeline=test_pipeline),
            uvo=dict(data_root=test_root + "uvo/", pipeline=test_pipeline),
        )
    ),
)
test_dataloader = val_dataloader
results = work_dir + "/results/"
val_evaluator = dict(
    metrics=dict(
        ytvis19=dict(
            ann_file=test_root + "ytvis_2019/valid.json",
            outfile_prefix=results + "ytvis19",
        ),
        ovis=dict(
            ann_file=test_root + "ovis/annotations_valid.json",
            outfile_prefix=results + "ovis",
        ),
        uvo=dict(
            ann_file=test_root
            + "uvo/VideoDenseSet/UVO_video_val_dense_with_label.json",
            outfile_prefix=results + "uvo",
        ),
    )
)
test_evaluator = val_evaluator
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, by_epoch=False, begin=0, end=warmup),
    dict(
        type="CosineAnnealingLR",
        eta_min=1e-6,
        by_epoch=False,
        begin=warmup,
        end=max_iters,
    ),
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(
    logger=dict(interval=50), checkpoint=dict(interval=max_iters, max_keep_ckpts=1)
)
