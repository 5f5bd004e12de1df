"""TMT-VIS on GenVIS R50, semi-online, behind tmt-vis-vita of the same datasets."""

_base_ = [
    "../_base_/backbones/r50.py",
    "../_base_/hosts/genvis.py",
    "../_base_/taxonomy_modules.py",
    "../_base_/datasets/vita_ytvis19_ytvis21_ovis_uvo.py",
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
        taxonomy=dict(label_spaces=["ytvis19", "ytvis21", "ovis", "uvo", "coco"]),
    ),
)
load_from = (
    "work_dirs/tmt-vis-vita_r50_8xb2-70k_ytvis19-ytvis21-ovis-uvo/iter_70000.pth"
)

max_iters = 90000
param_scheduler = [dict(_base_.param_scheduler[0], end=max_iters, milestones=[50000])]
train_cfg = dict(max_iters=max_iters, val_interval=10000)
clip = dict(num_frames=15, frame_range=12)
train_dataloader = dict(
    batch_size=2,
    sampler=dict(batch_size=2),
    dataset=dict(datasets=dict.fromkeys(_base_.train_dataloader.sampler.ratios, clip)),
)
del clip
