"""VITA on OVIS; 80 % of the clips are made of COCO images."""

_base_ = "./vita.py"

ratios = dict(coco=1.0, ovis=0.25)
train_dataloader = dict(
    batch_size=1,
    sampler=dict(ratios=ratios, batch_size=1),
    dataset=dict(
        datasets=dict(
            ovis=_base_.train_sets.ovis,
            coco=dict(
                _base_.image_sets.coco,
                label_space="ovis",
                category_map=_base_.category_maps.ovis,
                num_frames=6,
            ),
        )
    ),
)
val_dataloader = dict(dataset=dict(datasets=dict(ovis=_base_.val_sets.ovis)))
test_dataloader = val_dataloader
val_evaluator = dict(metrics=dict(ovis=_base_.metrics.ovis))
test_evaluator = val_evaluator
del ratios
