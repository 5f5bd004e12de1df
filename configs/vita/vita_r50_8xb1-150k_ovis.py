"""VITA R50 on OVIS and COCO pseudo-clips."""

_base_ = [
    "../_base_/models/vita_r50.py",
    "../_base_/datasets/vita_ovis.py",
    "../_base_/schedules/16k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(taxonomy=dict(label_spaces=["ovis"])))
