"""TMT-VIS on GenVIS Swin-L, semi-online, behind tmt-vis-vita of the same datasets."""

_base_ = [
    "../_base_/backbones/swin-l.py",
    "../_base_/hosts/genvis.py",
    "../_base_/taxonomy_modules.py",
    "../_base_/datasets/vita_ytvis21_ovis_uvo_480p.py",
    "../_base_/schedules/vita.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=_base_.backbone,
    # The frame queries keep the guidance that VITA has learned.
    frozen=(*_base_.model.frozen, "head.guidance"),
    head=dict(
        **_base_.taxonomy_modules,
        window=3,
        inject_to="both",
        num_queries=_base_.num_queries,
        pixel_decoder=dict(in_channels=_base_.feature_channels),
        taxonomy=dict(label_spaces=["ytvis21", "ovis", "uvo", "coco"]),
    ),
)
load_from = (
    "work_dirs/tmt-vis-vita_swin-l-p4-w12-384-in21k_8xb2-70k_"
    "ytvis21-ovis-uvo/iter_70000.pth"
)

max_iters = 90000
param_scheduler = [dict(_base_.param_scheduler[0], end=max_iters, milestones=[50000])]
train_cfg = dict(max_iters=max_iters, val_interval=10000)
clip = dict(num_frames=15, frame_range=12)
train_dataloader = dict(
    batch_size=2,
    sampler=dict(batch_size=2),
    dataset=dict(datasets=dict(ytvis21=clip, ovis=clip, uvo=clip, coco=clip)),
)
del clip
