"""IDOL R50 on YouTube-VIS 2019: 32 pairs per step."""

_base_ = [
    "../_base_/models/idol_r50.py",
    "../_base_/datasets/idol_ytvis19.py",
    "../_base_/schedules/idol_12k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(taxonomy=dict(label_spaces=["ytvis19"])))
