"""Mask2Former-VIS R50 on OVIS: the baseline, without taxonomy modules."""

_base_ = [
    "../_base_/models/mask2former-vis_r50.py",
    "../_base_/datasets/ovis.py",
    "../_base_/schedules/10k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(taxonomy=dict(label_spaces=["ovis"])))
