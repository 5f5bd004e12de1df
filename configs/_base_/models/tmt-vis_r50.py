"""TMT-VIS with ResNet-50: Mask2Former-VIS plus the taxonomy modules."""

_base_ = ["./mask2former-vis_r50.py", "./taxonomy_modules.py"]

model = dict(head=_base_.taxonomy_modules)
