"""TMT-VIS R50, the paper's main setting (Tables 1-3): YTVIS19 + OVIS + UVO."""

_base_ = [
    "../_base_/models/tmt-vis_r50.py",
    "../_base_/datasets/ytvis19_ovis_uvo.py",
    "../_base_/schedules/16k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(taxonomy=dict(label_spaces=["ytvis19", "ovis", "uvo"])))

# COCO instance segmentation weights of mmdet's Mask2Former, as for the host.
load_from = (
    "https://download.openmmlab.com/mmdetection/v3.0/mask2former/"
    "mask2former_r50_8xb2-lsj-50e_coco/"
    "mask2former_r50_8xb2-lsj-50e_coco_20220506_191028-41b088b6.pth"
)
