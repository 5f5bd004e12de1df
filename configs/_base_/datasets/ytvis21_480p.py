"""YouTube-VIS 2021 alone, tested at a short side of 480."""

_base_ = "./ytvis21.py"

test_pipeline = _base_.test_pipeline_480p
# The catalogue too, for children that pick further datasets from it.
val_sets = {name: dict(pipeline=test_pipeline) for name in _base_.val_sets}
val_dataloader = dict(dataset=dict(datasets=dict(ytvis21=val_sets["ytvis21"])))
test_dataloader = val_dataloader
