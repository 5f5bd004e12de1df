"""TMT-VIS R50 on UVO alone.

The schedule is that of OVIS; nobody published one for UVO.
"""

_base_ = [
    "../_base_/models/tmt-vis_r50.py",
    "../_base_/datasets/uvo.py",
    "../_base_/schedules/10k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(taxonomy=dict(label_spaces=["uvo"])))
