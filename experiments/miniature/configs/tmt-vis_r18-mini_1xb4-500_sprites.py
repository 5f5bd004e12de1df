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

# No worker processes: a run has one core. Pipelines and folders are the demo's.
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        datasets={
            name: dict(data_root=data_root + folder)
            for name, folder in _base_.folders.items()
        }
    ),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        datasets={
            name: dict(data_root=test_root + folder)
            for name, folder in _base_.folders.items()
        }
    ),
)
test_dataloader = val_dataloader
results = work_dir + "/results/"
val_evaluator = dict(
    metrics={
        name: dict(
            ann_file=test_root + folder + _base_.val_sets[name].ann_file,
            outfile_prefix=results + name,
        )
        for name, folder in _base_.folders.items()
    }
)
test_evaluator = val_evaluator
param_scheduler = [
    dict(_base_.param_scheduler[0], end=warmup),
    dict(_base_.param_scheduler[1], begin=warmup, end=max_iters),
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(
    logger=dict(interval=50), checkpoint=dict(interval=max_iters, max_keep_ckpts=1)
)
custom_hooks = [*_base_.custom_hooks, dict(type="CompilationProbeHook")]
