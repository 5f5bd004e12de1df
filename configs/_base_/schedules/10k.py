"""10k iterations of 16 clips: MinVIS, a Mask2Former, on OVIS."""

_base_ = "./16k.py"

max_iters = 10000
param_scheduler = [dict(_base_.param_scheduler[0], end=max_iters, milestones=[7000])]
train_cfg = dict(max_iters=max_iters, val_interval=2500)
