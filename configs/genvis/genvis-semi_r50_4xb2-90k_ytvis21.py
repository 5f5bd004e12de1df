"""GenVIS R50 semi on ytvis21."""

_base_ = [
    "../_base_/models/genvis_r50.py",
    "../_base_/datasets/vita_ytvis21.py",
    "../_base_/schedules/16k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(window=3, taxonomy=dict(label_spaces=["ytvis21"])))
