"""VITA R50 on COCO images, each a clip of one frame: where its training begins."""

_base_ = [
    "../_base_/models/mask2former-vis_r50.py",
    "../_base_/models/vita.py",
    "../_base_/datasets/vita_coco.py",
    "../_base_/schedules/vita.py",
    "../_base_/default_runtime.py",
]

backbone = dict(
    init_cfg=dict(type="Pretrained", checkpoint="torchvision://resnet50"),
)
head = dict(_base_.vita.head, taxonomy=dict(label_spaces=["coco"]))
head["video"]["encoder"]["window"] = 0
model = dict(_base_.vita, backbone=backbone, head=head)
del backbone, head
load_from = None

max_iters = 368750
param_scheduler = [
    dict(_base_.param_scheduler[0], end=max_iters, milestones=[327778, 355092])
]
train_cfg = dict(max_iters=max_iters)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
auto_scale_lr = dict(base_batch_size=16)
# There are no videos to validate on.
val_cfg = test_cfg = None
val_dataloader = test_dataloader = val_evaluator = test_evaluator = None
