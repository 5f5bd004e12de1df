"""TMT-VIS R50, the paper's main setting (Tables 1-3): YTVIS19 + OVIS + UVO."""

_base_ = [
    "../_base_/models/tmt-vis_r50.py",
    "../_base_/datasets/ytvis19_ovis_uvo.py",
    "../_base_/schedules/16k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(taxonomy=dict(label_spaces=["ytvis19", "ovis", "uvo"])))
