"""Mask2Former-VIS R50 on YouTube-VIS 2021: the baseline, without taxonomy modules."""

_base_ = [
    "../_base_/models/mask2former-vis_r50.py",
    "../_base_/datasets/ytvis21.py",
    "../_base_/schedules/8k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(taxonomy=dict(label_spaces=["ytvis21"])))
