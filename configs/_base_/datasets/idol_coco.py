"""Pseudo-pairs of COCO images, tested on YouTube-VIS 2019."""

_base_ = ["./ytvis19.py", "./coco.py", "./idol.py"]

train_dataloader = dict(
    batch_size=4,
    sampler=dict(ratios=dict(_delete_=True, coco=1.0), batch_size=4),
    dataset=dict(
        datasets=dict(
            _delete_=True, coco=dict(_base_.image_sets.coco, **_base_.pair_sets.coco)
        )
    ),
)
val_dataloader = dict(dataset=dict(datasets=dict(ytvis19=_base_.whole_sets.ytvis19)))
test_dataloader = val_dataloader
