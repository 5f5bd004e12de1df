"""Mask2Former-VIS Swin-L on OVIS."""

_base_ = [
    "../_base_/models/mask2former-vis_swin-l.py",
    "../_base_/datasets/ovis_480p.py",
    "../_base_/schedules/10k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(taxonomy=dict(label_spaces=["ovis"])))
