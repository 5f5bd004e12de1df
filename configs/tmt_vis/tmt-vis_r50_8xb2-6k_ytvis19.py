"""TMT-VIS R50 on YouTube-VIS 2019 alone."""

_base_ = [
    "../_base_/models/tmt-vis_r50.py",
    "../_base_/datasets/ytvis19.py",
    "../_base_/schedules/6k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(taxonomy=dict(label_spaces=["ytvis19"])))
