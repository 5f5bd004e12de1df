"""Table 12: trained on YTVIS19, tested on OVIS, zero-shot.

OVIS's Vehical, Bird, Poultry, Sheep and Bicycle share no slot with a category of
YTVIS19, so nothing ever taught them. The first three take the best score of the
categories near to them (Vehical: sedan, truck; and bus, if the taxonomy has it), A23.
Training is that of the base config: test the same checkpoint with this one.
"""

_base_ = "./tmt-vis_r50_8xb2-6k_ytvis19-to-all.py"

model = dict(head=dict(test_cfg=dict(near_pooling=True)))
val_dataloader = dict(dataset=dict(datasets=dict(ytvis19=None, uvo=None)))
test_dataloader = val_dataloader
val_evaluator = dict(metrics=dict(ytvis19=None, uvo=None))
test_evaluator = val_evaluator
