"""Video Mask Transfiner R101 on HQ-YTVIS."""

_base_ = [
    "../_base_/models/vmt_r101.py",
    "../_base_/datasets/vmt_hqytvis.py",
    "../_base_/schedules/vmt_12k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(taxonomy=dict(label_spaces=["ytvis19"])))
