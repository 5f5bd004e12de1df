"""Preset ``m2f-joint``: Mask2Former-VIS trained naively on the union of datasets.

The baseline of Tables 3, 4 and 11: categories that a dataset does not annotate are
negatives in it.
"""

_base_ = "./tmt-vis_r50_8xb2-16k_ytvis19-ovis-uvo.py"

model = dict(
    head=dict(
        text_embeddings=None,
        compilation=None,
        injection=None,
        label_space_mask=False,
    )
)
