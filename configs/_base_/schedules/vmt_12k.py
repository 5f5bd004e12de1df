"""12k iterations of 16 clips: SeqFormer's schedule, as VMT's is not known."""

_base_ = "./16k.py"

max_iters = 12000
optim_wrapper = dict(
    optimizer=dict(lr=2e-4, weight_decay=1e-4),
    # Deformable DETR decays every parameter.
    paramwise_cfg=dict(
        _delete_=True, custom_keys={"backbone": dict(lr_mult=0.1, decay_mult=1.0)}
    ),
)
param_scheduler = [dict(_base_.param_scheduler[0], end=max_iters, milestones=[8000])]
train_cfg = dict(max_iters=max_iters, val_interval=3000)

# 8 GPUs x 2 clips.
auto_scale_lr = dict(base_batch_size=16)
