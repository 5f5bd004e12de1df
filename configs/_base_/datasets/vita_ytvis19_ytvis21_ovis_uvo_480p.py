"""vita_ytvis19_ytvis21_ovis_uvo.py tested at a short side of 480, as Swin-L is."""

_base_ = "./vita_ytvis19_ytvis21_ovis_uvo.py"

large = dict(pipeline=_base_.test_pipeline_480p)
val_dataloader = dict(
    dataset=dict(datasets={name: large for name in _base_.val_evaluator.metrics})
)
test_dataloader = val_dataloader
del large
