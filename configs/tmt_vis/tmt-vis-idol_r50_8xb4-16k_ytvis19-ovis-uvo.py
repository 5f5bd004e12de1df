"""TMT-VIS on IDOL R50: YouTube-VIS 2019, OVIS and UVO."""

_base_ = [
    "../_base_/models/tmt-vis-idol_r50.py",
    "../_base_/datasets/idol_ytvis19_ovis_uvo.py",
    "../_base_/schedules/idol_16k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(taxonomy=dict(label_spaces=["ytvis19", "ovis", "uvo"])))
