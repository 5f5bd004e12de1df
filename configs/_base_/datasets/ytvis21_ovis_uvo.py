"""The main mix with YouTube-VIS 2021 in the place of 2019."""

_base_ = "./vis.py"

ratios = dict(ytvis21=1.0, ovis=0.75, uvo=1.0)
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
