"""Mask2Former-VIS with ResNet-101."""

_base_ = "./mask2former-vis_r50.py"

model = dict(backbone=dict(depth=101))

load_from = (
    "https://download.openmmlab.com/mmdetection/v3.0/mask2former/"
    "mask2former_r101_8xb2-lsj-50e_coco/"
    "mask2former_r101_8xb2-lsj-50e_coco_20220426_100250-ecf181e2.pth"
)
