"""TMT-VIS with Swin-L and 200 queries, pre-trained on ImageNet-21k."""

_base_ = ["./mask2former-vis_swin-l.py", "./taxonomy_modules.py"]

model = dict(head=_base_.taxonomy_modules)
