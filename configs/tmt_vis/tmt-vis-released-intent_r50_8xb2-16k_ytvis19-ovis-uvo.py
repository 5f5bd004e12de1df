"""Preset ``released-intent``: what the authors' released code sets out to do.

One cross-attention of the categories to the stride-4 features, one injection in front
of the decoder, no taxonomy loss, unsupervised scores. Its bugs are not reproduced.
"""

_base_ = "./tmt-vis_r50_8xb2-16k_ytvis19-ovis-uvo.py"

model = dict(
    head=dict(
        compilation=dict(
            num_layers=1, features="mask_feature", score_supervision="none"
        ),
        injection=dict(layers="first"),
        criterion=dict(taxonomy_loss=dict(enabled=False)),
    )
)
