"""vita_ovis.py tested at a short side of 448, as Swin-L is."""

_base_ = "./vita_ovis.py"

large = dict(pipeline=_base_.test_pipeline_448p)
val_dataloader = dict(
    dataset=dict(datasets={name: large for name in _base_.val_evaluator.metrics})
)
test_dataloader = val_dataloader
del large
