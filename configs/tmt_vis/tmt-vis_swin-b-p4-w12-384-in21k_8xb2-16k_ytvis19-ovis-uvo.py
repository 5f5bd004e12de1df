"""TMT-VIS Swin-B: the main setting, tested at a short side of 480."""

_base_ = [
    "../_base_/models/tmt-vis_swin-b.py",
    "../_base_/datasets/ytvis19_ovis_uvo_480p.py",
    "../_base_/schedules/16k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(taxonomy=dict(label_spaces=["ytvis19", "ovis", "uvo"])))
