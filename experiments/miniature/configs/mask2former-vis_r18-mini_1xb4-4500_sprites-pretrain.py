"""What COCO pre-training is to the paper: Mask2Former-VIS on sprites of 40 classes.

All runs start from its weights, without the classifier.
"""

_base_ = ["./tmt-vis_r18-mini_1xb4-500_sprites.py"]

max_iters = 4500
pretrain_root = "work_dirs/miniature/data/pretrain/"
work_dir = "work_dirs/miniature/pretraining"

folders = dict(ytvis21="ytvis_2021/", ovis="ovis/", uvo="uvo/")

model = dict(
    head=dict(
        taxonomy=dict(label_spaces=list(folders)),
        text_embeddings=None,
        compilation=None,
        injection=None,
        test_cfg=dict(max_per_video=dict(ytvis21=10)),
    ),
)
train_dataloader = dict(
    sampler=dict(ratios=dict(_delete_=True, **dict.fromkeys(folders, 1.0))),
    dataset=dict(
        datasets=dict(
            _delete_=True,
            **{
                name: dict(
                    _base_.train_sets[name],
                    data_root=pretrain_root + folder,
                    pipeline=_base_.train_pipeline,
                )
                for name, folder in folders.items()
            },
        )
    ),
)
val_dataloader = None
test_dataloader = None
val_evaluator = None
test_evaluator = None
val_cfg = None
test_cfg = None
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={"cls_embed": dict(lr_mult=1.0)}))
param_scheduler = [
    dict(_base_.param_scheduler[0], end=50),
    dict(_base_.param_scheduler[1], eta_min=1e-5, begin=50, end=max_iters),
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(checkpoint=dict(interval=500, max_keep_ckpts=1))
load_from = None
randomness = dict(seed=0)
