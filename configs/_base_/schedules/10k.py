"""10k iterations of 16 clips: MinVIS, a Mask2Former, on OVIS."""

_base_ = "./16k.py"

max_iters = 10000
param_scheduler = [
    dict(
        type="MultiStepLR",
        begin=0,
        end=max_iters,
        by_epoch=False,
        milestones=[7000],
        gamma=0.1,
    )
]
train_cfg = dict(max_iters=max_iters, val_interval=2500)
