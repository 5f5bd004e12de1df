"""The optimiser of VITA and GenVIS: 8 clips per step, half the usual learning rate."""

_base_ = "./16k.py"

optim_wrapper = dict(optimizer=dict(lr=5e-5))
auto_scale_lr = dict(base_batch_size=8)
