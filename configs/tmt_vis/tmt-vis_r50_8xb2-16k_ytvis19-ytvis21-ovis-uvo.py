"""TMT-VIS R50 on the paper's four VIS datasets, 106 categories.

The paper trains its largest model (Swin-L, VITA) on these four and gives neither
ratios nor schedule.
"""

_base_ = [
    "../_base_/backbones/r50.py",
    "../_base_/hosts/mask2former-vis.py",
    "../_base_/taxonomy_modules.py",
    "../_base_/datasets/ytvis19_ytvis21_ovis_uvo.py",
    "../_base_/schedules/16k.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=_base_.backbone,
    head=dict(
        **_base_.taxonomy_modules,
        num_queries=_base_.num_queries,
        pixel_decoder=dict(in_channels=_base_.feature_channels),
        taxonomy=dict(label_spaces=["ytvis19", "ytvis21", "ovis", "uvo"]),
    ),
)
