"""59k iterations of 32 images: IDOL on pseudo-pairs of COCO."""

_base_ = "./16k.py"

max_iters = 59000
optim_wrapper = dict(
    optimizer=dict(lr=2e-4, weight_decay=1e-4),
    # IDOL decays every parameter, and has no slower rates but the backbone's.
    paramwise_cfg=dict(
        _delete_=True, custom_keys={"backbone": dict(lr_mult=0.1, decay_mult=1.0)}
    ),
)
param_scheduler = [
    dict(_base_.param_scheduler[0], end=max_iters, milestones=[22200, 44400])
]
train_cfg = dict(max_iters=max_iters, val_interval=59000)

# 8 GPUs x 4 pairs.
auto_scale_lr = dict(base_batch_size=32)
