"""TMT-VIS with Swin-T."""

_base_ = ["./mask2former-vis_swin-t.py", "./taxonomy_modules.py"]

model = dict(head=_base_.taxonomy_modules)
