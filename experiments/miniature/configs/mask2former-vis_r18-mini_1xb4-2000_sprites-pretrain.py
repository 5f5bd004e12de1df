"""The pre-training at less than half its length, for ``make compare``."""

_base_ = ["./mask2former-vis_r18-mini_1xb4-4500_sprites-pretrain.py"]

max_iters = 2000
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_iters),
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
