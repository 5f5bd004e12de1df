"""IDOL R50 on OVIS: 16 pairs per step."""

_base_ = [
    "../_base_/models/idol_r50.py",
    "../_base_/datasets/ovis.py",
    "../_base_/schedules/12k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(taxonomy=dict(label_spaces=["ovis"])))
