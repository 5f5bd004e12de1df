"""TMT-VIS on MinVIS with ResNet-50: the taxonomy modules of the preset ``paper``."""

_base_ = "./tmt-vis_r50.py"

model = dict(
    head=dict(
        per_frame=True,
        tracker=dict(type="QuerySimilarityTracker"),
        # "video": one compiled taxonomy for all frames that are tested together.
        test_taxonomy="frame",
    )
)
