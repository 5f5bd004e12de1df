"""IDOL R50 on pseudo-pairs of COCO, from which training on videos starts."""

_base_ = [
    "../_base_/models/idol_r50.py",
    "../_base_/datasets/idol_coco.py",
    "../_base_/schedules/idol_59k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(taxonomy=dict(label_spaces=["coco", "ytvis19"])))
