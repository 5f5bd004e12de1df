"""OVIS alone."""

_base_ = "./vis.py"

ratios = dict(ovis=1.0)
train_dataloader = dict(
    sampler=dict(ratios=ratios),
    dataset=dict(datasets={name: _base_.train_sets[name] for name in ratios}),
)
val_dataloader = dict(
    dataset=dict(datasets={name: _base_.val_sets[name] for name in ratios})
)
test_dataloader = val_dataloader
val_evaluator = dict(metrics={name: _base_.metrics[name] for name in ratios})
test_evaluator = val_evaluator
del ratios  # of this file only; the sampler's are the ones to override
