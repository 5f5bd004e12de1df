"""TMT-VIS R50 for YouTube-VIS 2021: YTVIS21 + OVIS + UVO, 102 categories."""

_base_ = [
    "../_base_/backbones/r50.py",
    "../_base_/hosts/mask2former-vis.py",
    "../_base_/taxonomy_modules.py",
    "../_base_/datasets/ytvis21_ovis_uvo.py",
    "../_base_/schedules/16k.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=_base_.backbone,
    head=dict(
        **_base_.taxonomy_modules,
        num_queries=_base_.num_queries,
        pixel_decoder=dict(in_channels=_base_.feature_channels),
        taxonomy=dict(label_spaces=["ytvis21", "ovis", "uvo"]),
    ),
)
