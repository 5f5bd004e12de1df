"""A demo-size TMT-VIS on GenVIS, online, behind the demo's VITA (train that first)."""

_base_ = "./vita_r18-tiny_1xb4-800_sprites.py"

work_dir = "work_dirs/demo/genvis"
load_from = "work_dirs/demo/vita/iter_800.pth"
max_iters = 300

model = dict(
    frozen=(
        *("backbone", "head.pixel_decoder", "head.query_decoder", "head.guidance"),
    ),
    head=dict(
        type="GenVISHead",
        window=1,
        memory=dict(max_entries=None),
        video=dict(encoder=dict(window=0)),
    ),
)

param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_iters),
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters + 1)
default_hooks = dict(checkpoint=dict(interval=max_iters))
