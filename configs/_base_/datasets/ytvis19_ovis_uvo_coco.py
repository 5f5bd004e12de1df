"""The paper's main mix with COCO pseudo-clips for training.

The ratio of COCO is ours and not tuned (27 % of the clips). VITA draws 57 % of its
clips from COCO for YouTube-VIS 2019 and 80 % for OVIS.
"""

_base_ = ["./ytvis19_ovis_uvo.py", "./coco.py"]

train_dataloader = dict(
    sampler=dict(ratios=dict(coco=1.0)),
    dataset=dict(datasets=dict(coco=_base_.image_sets.coco)),
)
