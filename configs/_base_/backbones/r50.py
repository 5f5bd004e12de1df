"""ResNet-50.

A leaf takes ``_base_.backbone``, ``_base_.feature_channels`` (strides 4, 8, 16, 32) and
``_base_.num_queries``. ``load_from`` is for hosts made of Mask2Former; ``None`` starts
from scratch, and the classifier always does.
"""

backbone = dict(
    type="ResNet",
    depth=50,
    num_stages=4,
    out_indices=(0, 1, 2, 3),
    frozen_stages=-1,
    norm_cfg=dict(type="BN", requires_grad=False),
    norm_eval=True,
    style="pytorch",
)
feature_channels = [256, 512, 1024, 2048]

# Put into ``backbone`` to start from ImageNet.
imagenet = dict(init_cfg=dict(type="Pretrained", checkpoint="torchvision://resnet50"))

# COCO instance segmentation weights of mmdet's Mask2Former, which has 100 queries.
num_queries = 100
load_from = (
    "https://download.openmmlab.com/mmdetection/v3.0/mask2former/"
    "mask2former_r50_8xb2-lsj-50e_coco/"
    "mask2former_r50_8xb2-lsj-50e_coco_20220506_191028-41b088b6.pth"
)
