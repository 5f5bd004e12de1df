"""YouTube-VIS 2019, OVIS and UVO, in pairs of frames."""

_base_ = ["./ytvis19_ovis_uvo.py", "./idol.py"]

names = ["ytvis19", "ovis", "uvo"]
train_dataloader = dict(
    batch_size=4,
    sampler=dict(batch_size=4),
    dataset=dict(datasets={name: _base_.pair_sets[name] for name in names}),
)
val_dataloader = dict(
    dataset=dict(datasets={name: _base_.whole_sets[name] for name in names})
)
test_dataloader = val_dataloader
del names
