"""TMT-VIS R50 on the main mix and COCO pseudo-clips; tested on the three video sets.

As many clips in all as the main setting, so 27 % fewer of videos. COCO's categories
are UVO's: the joint taxonomy stays at 104.
"""

_base_ = [
    "../_base_/backbones/r50.py",
    "../_base_/hosts/mask2former-vis.py",
    "../_base_/taxonomy_modules.py",
    "../_base_/datasets/ytvis19_ovis_uvo_coco.py",
    "../_base_/schedules/16k.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=_base_.backbone,
    head=dict(
        **_base_.taxonomy_modules,
        num_queries=_base_.num_queries,
        pixel_decoder=dict(in_channels=_base_.feature_channels),
        taxonomy=dict(label_spaces=["ytvis19", "ovis", "uvo", "coco"]),
    ),
)
