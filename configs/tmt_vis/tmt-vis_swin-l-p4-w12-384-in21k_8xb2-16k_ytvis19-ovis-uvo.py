"""TMT-VIS Swin-L: the main setting, tested at a short side of 480."""

_base_ = [
    "../_base_/backbones/swin-l.py",
    "../_base_/hosts/mask2former-vis.py",
    "../_base_/taxonomy_modules.py",
    "../_base_/datasets/ytvis19_ovis_uvo_480p.py",
    "../_base_/schedules/16k.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=_base_.backbone,
    head=dict(
        **_base_.taxonomy_modules,
        num_queries=_base_.num_queries,
        pixel_decoder=dict(in_channels=_base_.feature_channels),
        taxonomy=dict(label_spaces=["ytvis19", "ovis", "uvo"]),
    ),
)
