"""Table 3: trained on YTVIS19 and UVO, tested on YTVIS19, OVIS and UVO."""

_base_ = [
    "../../_base_/backbones/r50.py",
    "../../_base_/hosts/mask2former-vis.py",
    "../../_base_/taxonomy_modules.py",
    "../../_base_/datasets/ytvis19_ovis_uvo.py",
    "../../_base_/schedules/12k.py",
    "../../_base_/default_runtime.py",
]

model = dict(
    backbone=_base_.backbone,
    head=dict(
        **_base_.taxonomy_modules,
        num_queries=_base_.num_queries,
        pixel_decoder=dict(in_channels=_base_.feature_channels),
        taxonomy=dict(label_spaces=["ytvis19", "ovis", "uvo"]),
    ),
)

train_dataloader = dict(
    sampler=dict(ratios=dict(ovis=None)),
    dataset=dict(datasets=dict(ovis=None)),
)
seen = dict(train_label_spaces=["ytvis19", "uvo"])
val_evaluator = dict(metrics=dict(ytvis19=seen, ovis=seen, uvo=seen))
test_evaluator = val_evaluator
del seen
