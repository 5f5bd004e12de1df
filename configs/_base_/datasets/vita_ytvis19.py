"""VITA on YouTube-VIS 2019; 57 % of the clips are made of COCO images."""

_base_ = "./vita.py"

ratios = dict(coco=1.0, ytvis19=0.75)
train_dataloader = dict(
    batch_size=1,
    sampler=dict(ratios=ratios, batch_size=1),
    dataset=dict(
        datasets=dict(
            ytvis19=_base_.train_sets.ytvis19,
            coco=dict(
                _base_.image_sets.coco,
                label_space="ytvis19",
                category_map=_base_.category_maps.ytvis19,
                num_frames=5,
            ),
        )
    ),
)
val_dataloader = dict(dataset=dict(datasets=dict(ytvis19=_base_.val_sets.ytvis19)))
test_dataloader = val_dataloader
val_evaluator = dict(metrics=dict(ytvis19=_base_.metrics.ytvis19))
test_evaluator = val_evaluator
del ratios
