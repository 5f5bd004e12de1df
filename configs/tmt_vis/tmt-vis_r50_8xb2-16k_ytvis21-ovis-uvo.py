"""TMT-VIS R50 for YouTube-VIS 2021: YTVIS21 + OVIS + UVO, 102 categories."""

_base_ = [
    "../_base_/models/tmt-vis_r50.py",
    "../_base_/datasets/ytvis21_ovis_uvo.py",
    "../_base_/schedules/16k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(taxonomy=dict(label_spaces=["ytvis21", "ovis", "uvo"])))
