"""The paper's main mix, tested at a short side of 480."""

_base_ = "./ytvis19_ovis_uvo.py"

test_pipeline = _base_.test_pipeline_480p
# The catalogue too, for children that pick further datasets from it.
val_sets = {name: dict(pipeline=test_pipeline) for name in _base_.val_sets}
val_dataloader = dict(
    dataset=dict(datasets={name: val_sets[name] for name in ("ytvis19", "ovis", "uvo")})
)
test_dataloader = val_dataloader
