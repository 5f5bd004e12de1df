"""VITA on YouTube-VIS 2021; 56 % of the clips are made of COCO images."""

_base_ = "./vita.py"

ratios = dict(coco=1.0, ytvis21=0.8)
train_dataloader = dict(
    batch_size=1,
    sampler=dict(ratios=ratios, batch_size=1),
    dataset=dict(
        datasets=dict(
            ytvis21=_base_.train_sets.ytvis21,
            coco=dict(
                _base_.image_sets.coco,
                label_space="ytvis21",
                category_map=_base_.category_maps.ytvis21,
                num_frames=6,
            ),
        )
    ),
)
val_dataloader = dict(dataset=dict(datasets=dict(ytvis21=_base_.val_sets.ytvis21)))
test_dataloader = val_dataloader
val_evaluator = dict(metrics=dict(ytvis21=_base_.metrics.ytvis21))
test_evaluator = val_evaluator
del ratios
