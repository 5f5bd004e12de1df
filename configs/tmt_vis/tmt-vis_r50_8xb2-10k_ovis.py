"""TMT-VIS R50 on OVIS alone."""

_base_ = [
    "../_base_/models/tmt-vis_r50.py",
    "../_base_/datasets/ovis.py",
    "../_base_/schedules/10k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(taxonomy=dict(label_spaces=["ovis"])))
