"""Video Mask Transfiner Swin-L on HQ-YTVIS."""

_base_ = [
    "../_base_/backbones/swin-l.py",
    "../_base_/hosts/vmt.py",
    "../_base_/datasets/vmt_hqytvis.py",
    "../_base_/schedules/vmt_12k.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(_base_.backbone, out_indices=(0, 1, 2, 3), **_base_.imagenet),
    head=dict(
        neck=dict(in_channels=_base_.feature_channels[1:]),
        cascade=dict(stage_channels=192, stem_channels=192, compress_stem=True),
        taxonomy=dict(label_spaces=["ytvis19"]),
    ),
)
load_from = None
