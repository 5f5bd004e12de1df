"""12k iterations of 16 clips: the released code's UVO + YouTube-VIS 2019 run.

We use it for any two datasets; the paper gives no schedule (A18, unverified).
"""

_base_ = "./16k.py"

max_iters = 12000
param_scheduler = [dict(_base_.param_scheduler[0], end=max_iters, milestones=[8000])]
train_cfg = dict(max_iters=max_iters, val_interval=3000)
