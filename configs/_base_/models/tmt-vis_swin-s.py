"""TMT-VIS with Swin-S."""

_base_ = ["./mask2former-vis_swin-s.py", "./taxonomy_modules.py"]

model = dict(head=_base_.taxonomy_modules)
