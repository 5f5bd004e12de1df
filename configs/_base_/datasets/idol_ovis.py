"""OVIS, in pairs of frames."""

_base_ = ["./ovis.py", "./idol.py"]

names = ["ovis"]
train_dataloader = dict(
    batch_size=2,
    sampler=dict(batch_size=2),
    dataset=dict(datasets={name: _base_.pair_sets[name] for name in names}),
)
val_dataloader = dict(
    dataset=dict(datasets={name: _base_.whole_sets[name] for name in names})
)
test_dataloader = val_dataloader
del names
