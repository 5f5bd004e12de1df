"""TMT-VIS Swin-L on four VIS datasets, 106 categories."""

_base_ = "./tmt-vis_swin-l-p4-w12-384-in21k_8xb2-16k_ytvis19-ovis-uvo.py"

model = dict(
    head=dict(taxonomy=dict(label_spaces=["ytvis19", "ytvis21", "ovis", "uvo"]))
)

train_dataloader = dict(
    sampler=dict(ratios=dict(ytvis21=1.0)),
    dataset=dict(datasets=dict(ytvis21=_base_.train_sets.ytvis21)),
)
val_dataloader = dict(dataset=dict(datasets=dict(ytvis21=_base_.val_sets.ytvis21)))
test_dataloader = val_dataloader
val_evaluator = dict(metrics=dict(ytvis21=_base_.metrics.ytvis21))
test_evaluator = val_evaluator
