"""TMT-VIS R101: the R50 config with a deeper backbone and its COCO weights."""

_base_ = "./tmt-vis_r50_8xb2-16k_ytvis19-ovis-uvo.py"

model = dict(backbone=dict(depth=101))

load_from = (
    "https://download.openmmlab.com/mmdetection/v3.0/mask2former/"
    "mask2former_r101_8xb2-lsj-50e_coco/"
    "mask2former_r101_8xb2-lsj-50e_coco_20220426_100250-ecf181e2.pth"
)
