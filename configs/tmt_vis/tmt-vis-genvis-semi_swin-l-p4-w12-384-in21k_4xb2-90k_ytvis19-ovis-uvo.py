"""TMT-VIS on GenVIS Swin-L, semi-online, behind tmt-vis-vita of the same datasets."""

_base_ = [
    "../_base_/models/mask2former-vis_swin-l.py",
    "../_base_/models/genvis.py",
    "../_base_/models/taxonomy_modules.py",
    "../_base_/datasets/vita_ytvis19_ovis_uvo.py",
    "../_base_/schedules/vita.py",
    "../_base_/default_runtime.py",
]

spaces = ["ytvis19", "ovis", "uvo", "coco"]
head = dict(_base_.taxonomy_modules, taxonomy=dict(label_spaces=spaces))
head.update(_base_.genvis.head, window=3, inject_to="both")
# The frame queries keep the guidance that VITA has learned.
frozen = (*_base_.genvis.frozen, "head.guidance")
model = dict(_base_.genvis, head=head, frozen=frozen)
del frozen, head, spaces
load_from = (
    "work_dirs/tmt-vis-vita_swin-l-p4-w12-384-in21k_8xb2-70k_"
    "ytvis19-ovis-uvo/iter_70000.pth"
)

max_iters = 90000
param_scheduler = [dict(_base_.param_scheduler[0], end=max_iters, milestones=[50000])]
train_cfg = dict(max_iters=max_iters, val_interval=10000)
clip = dict(num_frames=15, frame_range=12)
train_dataloader = dict(
    batch_size=2,
    sampler=dict(batch_size=2),
    dataset=dict(datasets=dict(ytvis19=clip, ovis=clip, uvo=clip, coco=clip)),
)
del clip

# Swin-L is tested at 480, as the paper says.
large = dict(pipeline=_base_.test_pipeline_480p)
val_sets = {name: large for name in _base_.val_evaluator.metrics}
val_dataloader = dict(dataset=dict(datasets=val_sets))
test_dataloader = val_dataloader
del large, val_sets
