"""VITA R50 on YouTube-VIS 2021 and COCO pseudo-clips."""

_base_ = [
    "../_base_/models/vita_r50.py",
    "../_base_/datasets/vita_ytvis21.py",
    "../_base_/schedules/16k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(taxonomy=dict(label_spaces=["ytvis21"])))
