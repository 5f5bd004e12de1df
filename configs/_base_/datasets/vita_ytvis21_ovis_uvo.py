"""3 datasets of videos and COCO pseudo-clips, with VITA's augmentation.

COCO keeps its own label space. Its ratio is ours and not tuned.
"""

_base_ = "./vita.py"

ratios = dict(ytvis21=1.0, ovis=0.75, uvo=1.0, coco=1.0)
names = [name for name in ratios if name != "coco"]
datasets = {name: _base_.train_sets[name] for name in names}
datasets["coco"] = dict(_base_.image_sets.coco, num_frames=6)
train_dataloader = dict(sampler=dict(ratios=ratios), dataset=dict(datasets=datasets))
val_dataloader = dict(
    dataset=dict(datasets={name: _base_.val_sets[name] for name in names})
)
test_dataloader = val_dataloader
val_evaluator = dict(metrics={name: _base_.metrics[name] for name in names})
test_evaluator = val_evaluator
del ratios, names, datasets
