"""TMT-VIS with ResNet-101."""

_base_ = ["./mask2former-vis_r101.py", "./taxonomy_modules.py"]

model = dict(head=_base_.taxonomy_modules)
