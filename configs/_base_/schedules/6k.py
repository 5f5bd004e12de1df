"""6k iterations of 16 clips: Mask2Former-VIS on YouTube-VIS 2019."""

_base_ = "./16k.py"

max_iters = 6000
param_scheduler = [dict(_base_.param_scheduler[0], end=max_iters, milestones=[4000])]
train_cfg = dict(max_iters=max_iters, val_interval=2000)
