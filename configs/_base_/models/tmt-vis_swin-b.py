"""TMT-VIS with Swin-B, pre-trained on ImageNet-21k."""

_base_ = ["./mask2former-vis_swin-b.py", "./taxonomy_modules.py"]

model = dict(head=_base_.taxonomy_modules)
