"""Mask2Former-VIS Swin-B on YouTube-VIS 2019."""

_base_ = [
    "../_base_/models/mask2former-vis_swin-b.py",
    "../_base_/datasets/ytvis19_480p.py",
    "../_base_/schedules/6k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(taxonomy=dict(label_spaces=["ytvis19"])))
