"""Preset ``best``: what docs/findings.md found to make a difference.

Measured on generated videos and a small model only.
"""

_base_ = "./tmt-vis_r50_8xb2-16k_ytvis19-ovis-uvo.py"

model = dict(
    head=dict(
        # Without it TCM does not tell the categories apart.
        compilation=dict(unit_variance_text=True),
        # TIM leaves warm-started queries as they are until it has learned something.
        injection=dict(layer=dict(norm_first=True, layer_scale=0.0)),
        # The mean over a label space divides the gradient of a category by 25 to 81.
        criterion=dict(loss_weights=dict(comp=20.0)),
    )
)
