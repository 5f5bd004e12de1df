"""TMT-VIS R101: the main setting with a deeper backbone and its COCO weights."""

_base_ = [
    "../_base_/models/tmt-vis_r101.py",
    "../_base_/datasets/ytvis19_ovis_uvo.py",
    "../_base_/schedules/16k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(taxonomy=dict(label_spaces=["ytvis19", "ovis", "uvo"])))
