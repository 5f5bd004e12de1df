"""Mask2Former-VIS Swin-T on YouTube-VIS 2021."""

_base_ = [
    "../_base_/models/mask2former-vis_swin-t.py",
    "../_base_/datasets/ytvis21_480p.py",
    "../_base_/schedules/8k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(taxonomy=dict(label_spaces=["ytvis21"])))
